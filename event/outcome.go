package event

// Outcome is what became of a request, or of an event that made none. It is
// the third token of a result's subject.
type Outcome string

const (
	// Accepted: Callab has the call and gave it an id.
	Accepted Outcome = "accepted"
	// Rejected: nobody was called, because the event could not be mapped or
	// Callab refused the call. Sending it again changes nothing.
	Rejected Outcome = "rejected"
	// Skipped: nobody was to be called.
	Skipped Outcome = "skipped"
	// Unknown: the call may have been made, and Callab's list does not show
	// it. A person decides; callbridge does not dial again.
	Unknown Outcome = "unknown"
	// Failed: nobody was called, because Callab could not be reached within
	// the attempts allowed.
	Failed Outcome = "failed"
)

// Reason says in one fixed word why the outcome is what it is. Results carry
// it; metrics count by it. The text beside it (Detail) is for people.
type Reason string

// Reasons of results that the mapping writes.
const (
	// ReasonNoRoute: no route wanted the event (skipped).
	ReasonNoRoute Reason = "no_route"
	// ReasonDryRun: a route wanted it, but its mode is dry_run (skipped).
	ReasonDryRun Reason = "dry_run"
	// ReasonNotAllowed: the route's mode is allow_list and the number is not
	// on its list (skipped).
	ReasonNotAllowed Reason = "not_allowed"
	// ReasonTooOld: the event is older than the source's max_age (skipped).
	ReasonTooOld Reason = "too_old"
	// ReasonMissingField: a rule or call needs a field that is not there
	// (rejected).
	ReasonMissingField Reason = "missing_field"
	// ReasonBadField: a field is there, but is not what its type says
	// (rejected).
	ReasonBadField Reason = "bad_field"
	// ReasonBadPhone: a phone field holds no number that may be dialled
	// (rejected). Detail names the finer reason.
	ReasonBadPhone Reason = "bad_phone"
	// ReasonRuleFailed: a rule could not be evaluated (rejected).
	ReasonRuleFailed Reason = "rule_failed"
	// ReasonBadCall: the call that came out cannot be sent (rejected).
	ReasonBadCall Reason = "bad_call"
	// ReasonBadEvent: one event of a batch cannot be read (rejected).
	ReasonBadEvent Reason = "bad_event"
)

// Reasons of results that the look-up writes.
const (
	// ReasonLookupFailed: what the event is about could not be had from the
	// CRM's API (rejected).
	ReasonLookupFailed Reason = "lookup_failed"
	// ReasonLookupNotFound: the CRM's API does not know what the event is
	// about (rejected).
	ReasonLookupNotFound Reason = "lookup_not_found"
	// ReasonSuperseded: a newer event about the same was looked up before
	// (skipped).
	ReasonSuperseded Reason = "superseded"
)

// Reasons of results that dispatch writes.
const (
	// ReasonCreated: Callab answered with the id of the call (accepted).
	ReasonCreated Reason = "created"
	// ReasonFound: the answer was lost, and the call was found in Callab's
	// list (accepted).
	ReasonFound Reason = "found"
	// ReasonRefused: Callab said no (rejected).
	ReasonRefused Reason = "refused"
	// ReasonBadRequest: what stood on the request subject cannot be dialled
	// (rejected).
	ReasonBadRequest Reason = "bad_request"
	// ReasonNotFound: the answer was lost, and the call is not in Callab's
	// list (unknown).
	ReasonNotFound Reason = "not_found"
	// ReasonNotSent: no attempt got as far as sending the call (failed).
	ReasonNotSent Reason = "not_sent"
)
