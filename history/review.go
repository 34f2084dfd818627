package history

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"callbridge/bus/archive"
	"callbridge/dispatch/record"
	"callbridge/event"
)

// Task is a result that needs a person.
type Task struct {
	Row
	// Advice says what to do.
	Advice string
}

// advice says what to do about a result, by its reason: those that need a person.
var advice = map[event.Reason]string{
	event.ReasonMissingField:   "look at the field with `why`; correct the mapping or the CRM, then have the CRM send the event again",
	event.ReasonBadField:       "look at the field with `why`; correct the mapping or the CRM, then have the CRM send the event again",
	event.ReasonBadPhone:       "correct the number in the CRM, or the region of the field, then have the CRM send the event again",
	event.ReasonRuleFailed:     "correct the rule in callbridge.yaml, then have the CRM send the event again",
	event.ReasonBadCall:        "correct the call in callbridge.yaml, then have the CRM send the event again",
	event.ReasonBadEvent:       "look at what the CRM sends; correct split or key in callbridge.yaml",
	event.ReasonKeyReused:      "correct key in callbridge.yaml: two events have the same",
	event.ReasonLookupFailed:   "look at the key of the CRM's API and its limits, then have the CRM send the event again",
	event.ReasonLookupNotFound: "look whether the record was deleted, then resolve it as ignored",
	event.ReasonRefused:        "look at what Callab says in the detail; correct the call in callbridge.yaml",
	event.ReasonBadRequest:     "look at the service that has published the request",
	event.ReasonNotSent:        "Callab could not be reached for long; if the call is still wanted, request it again",
	event.ReasonNotFound:       "look in Callab whether the person was called, then resolve it as called or not-called",
	event.ReasonHeldAfterLoss:  "look in Callab whether the person was called, then resolve it as called or not-called",
	"no_zone":                  "give the person a country or a time zone in the CRM",
	"policy_data_old":          "install a newer callbridge",
}

// reviewed are the outcomes that may need a person.
var reviewed = []event.Outcome{event.Unknown, event.Failed, event.Rejected, event.Skipped}

// Tasks returns the results of a range that need a person, the oldest first: those with a
// reason for which there is advice, without those that are resolved or whose event has led to
// a call or another decision since. At most limit of the newest are returned; more says
// that there are others.
func Tasks(ctx context.Context, store Store, in archive.Range, resolved func(uuid.UUID) bool, limit int) (tasks []Task, more bool, err error) {
	for _, outcome := range reviewed {
		in.Outcome = string(outcome)
		err := store.Newest(ctx, in, func(m archive.Message) error {
			var r event.Result
			if event.Unmarshal(m.Data, &r) != nil || advice[r.Reason] == "" || resolved(r.RequestID) {
				return nil
			}
			done, err := mended(ctx, store, r)
			if err != nil || done {
				return err
			}
			if len(tasks) == limit {
				more = true
				return errEnough
			}
			tasks = append(tasks, Task{Row{m.Sequence, m.At, r}, advice[r.Reason]})
			return nil
		})
		if err != nil && !more {
			return nil, false, err
		}
		if more {
			break
		}
	}
	slices.SortStableFunc(tasks, func(a, b Task) int { return a.Stored.Compare(b.Stored) })
	return tasks, more, nil
}

// mended reports whether the event of a rejection was sent again and led to a request or a
// decision.
func mended(ctx context.Context, store Store, r event.Result) (bool, error) {
	if r.Outcome != event.Rejected || r.RequestID == event.RequestID(r.Event.ID, r.Route) {
		return false, nil
	}
	id := event.RequestID(r.Event.ID, r.Route)
	if _, found, err := store.Request(ctx, id); found || err != nil {
		return found, err
	}
	results, err := store.Results(ctx, id)
	return slices.ContainsFunc(results, func(m archive.Message) bool {
		var later event.Result
		return event.Unmarshal(m.Data, &later) == nil && record.Of(later.Outcome) != record.None
	}), err
}
