package event

// Outcome is the outcome of a request, or of an event that made none. It is the
// third token of a result's subject.
type Outcome string

const (
	// Accepted: Callab has the call and gave it an id.
	Accepted Outcome = "accepted"
	// Rejected: no call was made, because the event could not be mapped or
	// Callab refused the call. An event that could not be mapped is mapped again
	// when it is sent again; a refused call stays refused.
	Rejected Outcome = "rejected"
	// Skipped: the configuration wants no call for this event.
	Skipped Outcome = "skipped"
	// Unknown: the call may have been made, and Callab's list does not show
	// it. An operator decides; callbridge does not dial again.
	Unknown Outcome = "unknown"
	// Failed: no attempt placed a call: Callab could not be reached, was too busy
	// (429) or refused the credentials for this call only.
	Failed Outcome = "failed"
	// Deferred: the call waits, as it must not be made now. Another outcome follows, and a
	// request may have it more than once.
	Deferred Outcome = "deferred"
	// Ended: an accepted call is over, or was given up. Reason is its class, and the last
	// token of the subject.
	Ended Outcome = "ended"
	// Analysed: the transcript and the outcomes of an ended call do not change any more.
	Analysed Outcome = "analysed"
)

// Final are the outcomes with which a request ends: it has one of them. After Accepted
// the results of the call follow, Ended and Analysed.
var Final = []Outcome{Accepted, Rejected, Skipped, Failed, Unknown}

// Reason is the cause of an outcome, one of a fixed set of words. Results carry
// it and metrics count by it; Result.Detail explains it to people.
type Reason string

// Reasons of results that the mapping writes.
const (
	// ReasonNoRoute: no route matched the event (skipped).
	ReasonNoRoute Reason = "no_route"
	// ReasonDryRun: a route matched, but its mode is dry_run (skipped).
	ReasonDryRun Reason = "dry_run"
	// ReasonNotAllowed: the route's mode is allow_list and the number is not
	// on its list (skipped).
	ReasonNotAllowed Reason = "not_allowed"
	// ReasonNoConsent: the person has not agreed to be called, and the route needs that
	// (skipped).
	ReasonNoConsent Reason = "no_consent"
	// ReasonDoNotCall: the CRM or the do-not-call list says that the person must not be
	// called (skipped).
	ReasonDoNotCall Reason = "do_not_call"
	// ReasonSameEvent: an earlier route calls the same number for the event
	// (skipped).
	ReasonSameEvent Reason = "same_event"
	// ReasonTooOld: the event is older than the source's max_age (skipped).
	ReasonTooOld Reason = "too_old"
	// ReasonExpired: the event is older than the policy's expire (skipped).
	ReasonExpired Reason = "expired"
	// ReasonNoZone: it is not known where the person is, or which hours hold there
	// (skipped).
	ReasonNoZone Reason = "no_zone"
	// ReasonOutsideHours: the person may not be called at this hour (skipped if there is
	// no opening before the event expires).
	ReasonOutsideHours Reason = "outside_hours"
	// ReasonHoliday: it is a public holiday where the person is (skipped, as above).
	ReasonHoliday Reason = "holiday"
	// ReasonPolicyDataOld: the hours or the holidays that callbridge knows are too old for
	// marketing (skipped).
	ReasonPolicyDataOld Reason = "policy_data_old"
	// ReasonMissingField: a rule or call needs a field that has no value
	// (rejected).
	ReasonMissingField Reason = "missing_field"
	// ReasonBadField: a field has a value that does not fit its type
	// (rejected).
	ReasonBadField Reason = "bad_field"
	// ReasonBadPhone: a phone field holds no number that may be dialled
	// (rejected). Detail has the exact cause.
	ReasonBadPhone Reason = "bad_phone"
	// ReasonRuleFailed: a rule could not be evaluated (rejected).
	ReasonRuleFailed Reason = "rule_failed"
	// ReasonBadCall: the mapped call cannot be sent (rejected).
	ReasonBadCall Reason = "bad_call"
	// ReasonBadEvent: one event of a batch cannot be read (rejected).
	ReasonBadEvent Reason = "bad_event"
	// ReasonKeyReused: an earlier event has the same key, and names another person
	// or says something else (rejected).
	ReasonKeyReused Reason = "key_reused"
)

// Reasons of results that the lookup writes.
const (
	// ReasonLookupFailed: the CRM's API did not return the record that the
	// event is about (rejected).
	ReasonLookupFailed Reason = "lookup_failed"
	// ReasonLookupNotFound: the CRM's API says that there is no such record
	// (rejected).
	ReasonLookupNotFound Reason = "lookup_not_found"
	// ReasonSuperseded: a newer event about the same record has been looked up
	// already (skipped).
	ReasonSuperseded Reason = "superseded"
)

// Reasons of results that dispatch writes.
const (
	// ReasonCreated: Callab answered with the id of the call (accepted).
	ReasonCreated Reason = "created"
	// ReasonFound: the answer was lost, and the call was found in Callab's
	// list (accepted).
	ReasonFound Reason = "found"
	// ReasonRefused: Callab refused the call (rejected).
	ReasonRefused Reason = "refused"
	// ReasonBadRequest: the message on the request subject cannot be dialled
	// (rejected).
	ReasonBadRequest Reason = "bad_request"
	// ReasonBadNumber: a number of a kind or country that must not be dialled, in a
	// request that another service published (rejected).
	ReasonBadNumber Reason = "bad_number"
	// ReasonRouteOff: the route that the request names does not exist any more, or
	// it does not dial this number: it is off or in dry_run, or the number is not on
	// its list (skipped).
	ReasonRouteOff Reason = "route_off"
	// ReasonStopped: a person has stopped calls of its source, route or country.
	ReasonStopped Reason = "stopped"
	// ReasonOnCall: a call to the person has not ended yet.
	ReasonOnCall Reason = "on_call"
	// ReasonCoolingDown: the person was called, and is not called for some time after a
	// call that ended so.
	ReasonCoolingDown Reason = "cooling_down"
	// ReasonCapped: the person was called as often as the policy allows.
	ReasonCapped Reason = "capped"
	// ReasonUnread: what forbids calls cannot be read.
	ReasonUnread Reason = "unread"
	// ReasonNotFound: the answer was lost, and the call is not in Callab's
	// list (unknown).
	ReasonNotFound Reason = "not_found"
	// ReasonHeldAfterLoss: NATS has lost what was known of the request, and the call is
	// not in Callab's list (unknown). It is not placed by itself.
	ReasonHeldAfterLoss Reason = "held_after_loss"
	// ReasonNotSent: no attempt placed a call: Callab could not be reached, was too
	// busy (429) or refused the credentials for this call only (failed).
	ReasonNotSent Reason = "not_sent"
)

// Reasons of the results of a call that was followed: its class (package follow/outcome).
const (
	// ReasonReached: a person was there.
	ReasonReached Reason = "reached"
	// ReasonVoicemail: a voicemail answered.
	ReasonVoicemail Reason = "voicemail"
	// ReasonNoAnswer: it rang, and there was no answer.
	ReasonNoAnswer Reason = "no_answer"
	// ReasonBusy: the line was busy.
	ReasonBusy Reason = "busy"
	// ReasonDeclined: the person refused the call.
	ReasonDeclined Reason = "declined"
	// ReasonScreened: an assistant answered, and no person came.
	ReasonScreened Reason = "screened"
	// ReasonInvalidNumber: the number does not exist.
	ReasonInvalidNumber Reason = "invalid_number"
	// ReasonBlocked: a carrier or a filter refused the call.
	ReasonBlocked Reason = "blocked"
	// ReasonProviderFailed: the telephony failed.
	ReasonProviderFailed Reason = "provider_failed"
	// ReasonCancelled: the call was ended before it was answered.
	ReasonCancelled Reason = "cancelled"
	// ReasonUnclassified: the call ended, and nothing proves one of the above.
	ReasonUnclassified Reason = "unclassified"
	// ReasonUnresolved: no end was seen.
	ReasonUnresolved Reason = "unresolved"
)
