package history

import (
	"fmt"
	"strings"
	"time"

	"callbridge/dispatch/record"
	"callbridge/event"
)

// causes say in plain words what a reason means. Detail of the result follows.
var causes = map[event.Reason]string{
	event.ReasonNoRoute:        "no route wants this event",
	event.ReasonDryRun:         "the route is in dry_run",
	event.ReasonNotAllowed:     "the number is not on the route's list",
	event.ReasonNoConsent:      "the person has not agreed to be called",
	event.ReasonDoNotCall:      "the person must not be called",
	event.ReasonSameEvent:      "an earlier route calls the same number for this event",
	event.ReasonTooOld:         "the event is too old",
	event.ReasonMissingField:   "a field that is needed has no value",
	event.ReasonBadField:       "a field has a value that does not fit",
	event.ReasonBadPhone:       "the field of the number holds none that may be dialled",
	event.ReasonRuleFailed:     "a rule could not be evaluated",
	event.ReasonBadCall:        "the call could not be made of the event",
	event.ReasonBadEvent:       "the event could not be read",
	event.ReasonKeyReused:      "an earlier event has the same key and says something else",
	event.ReasonLookupFailed:   "the CRM did not answer the lookup",
	event.ReasonLookupNotFound: "the CRM has no such record",
	event.ReasonSuperseded:     "a newer event about the same record was looked up",
	event.ReasonRefused:        "Callab refused the call",
	event.ReasonBadRequest:     "the request cannot be dialled",
	event.ReasonBadNumber:      "the number is of a kind or country that is not dialled",
	event.ReasonRouteOff:       "the route does not dial this number any more",
	event.ReasonUnread:         "what may forbid the call could not be read",
	event.ReasonNotSent:        "no attempt placed the call",
	event.ReasonReached:        "a person was there",
	event.ReasonVoicemail:      "a voicemail answered",
	event.ReasonNoAnswer:       "it rang, and there was no answer",
	event.ReasonBusy:           "the line was busy",
	event.ReasonDeclined:       "the person refused the call",
	event.ReasonScreened:       "an assistant answered, and no person came",
	event.ReasonInvalidNumber:  "the number does not exist",
	event.ReasonBlocked:        "a carrier or a filter refused the call",
	event.ReasonProviderFailed: "the telephony failed",
	event.ReasonCancelled:      "the call was ended before it was answered",
	event.ReasonUnclassified:   "the call has ended, and nothing proves how",
	event.ReasonUnresolved:     "the end of the call was not seen",
	event.ReasonExpired:        "it is too late for a call about this event",
	event.ReasonNoZone:         "it is not known where the person is, or which hours hold there",
	event.ReasonOutsideHours:   "the person may not be called at this hour",
	event.ReasonHoliday:        "it is a public holiday where the person is",
	event.ReasonPolicyDataOld:  "the hours or holidays that callbridge knows are too old",
	event.ReasonStopped:        "calls are stopped",
	event.ReasonOnCall:         "a call to the person has not ended yet",
	event.ReasonCoolingDown:    "the last call forbids another one for some time",
	event.ReasonCapped:         "the person has been called as often as the policy allows",
	event.ReasonNotFound:       "the answer was lost, and the call is not in Callab's list",
	event.ReasonHeldAfterLoss:  "NATS has lost what was known of the request",
	event.ReasonCreated:        "Callab has taken the call",
	event.ReasonFound:          "the answer was lost, and the call was found in Callab's list",
}

// Sentence says what became of a request or an event, without the words of results.
func Sentence(r event.Result) string {
	cause := causes[r.Reason]
	if cause == "" {
		cause = string(r.Reason)
	}
	if strings.Contains(r.Detail, cause) {
		cause, r.Detail = r.Detail, ""
	}
	switch r.Outcome {
	case event.Accepted:
		if r.Reason == event.ReasonFound {
			return "Called: the answer was lost, and the call was found in Callab's list."
		}
		return "Called: Callab has taken the call."
	case event.Unknown:
		return "Perhaps called: Callab's answer was lost, and its list does not show the call. A person decides." + after(r)
	case event.Deferred:
		return "Waits" + until(r.Until) + ": " + cause + "." + after(r)
	case event.Ended:
		return "Called: " + cause + "." + after(r)
	case event.Analysed:
		return "Called: " + cause + ", and transcript and outcomes do not change any more." + after(r)
	case event.Failed:
		return "Not called: " + cause + "." + after(r)
	}
	return "Not called: " + cause + "." + after(r)
}

// until says how long a request waits.
func until(at time.Time) string {
	if at.IsZero() {
		return " until something changes"
	}
	return " until " + at.UTC().Format("2006-01-02 15:04 UTC")
}

// after is the detail of a result as another sentence.
func after(r event.Result) string {
	text := r.Detail
	if r.Field != "" {
		text = strings.TrimSuffix("field "+r.Field+": "+text, ": ")
	}
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// recordText says what a record of the ledger means.
func recordText(r record.Record) string {
	switch r.State {
	case record.Claimed:
		return fmt.Sprintf("attempt %d was claimed by a process", r.Attempt)
	case record.Free:
		text := fmt.Sprintf("attempt %d did not place the call", r.Attempt)
		if wait := r.Wait(); wait > 0 {
			text += ", the next one follows after " + wait.Round(time.Second).String()
		}
		return text + ": " + r.Detail
	case record.Unknown:
		return fmt.Sprintf("attempt %d may have placed the call, Callab's list decides: %s", r.Attempt, r.Detail)
	case record.Waiting:
		return fmt.Sprintf("waits%s (%s): %s", until(r.Until), r.Reason, r.Detail)
	case record.Unreadable:
		return "the record cannot be read: it " + r.Detail
	}
	text := "ended as " + string(r.State)
	if r.Reason != "" {
		text += " (" + string(r.Reason) + ")"
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}
