package handlers

import (
	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/mapping"
)

// status of one event in an answer.
type status string

const (
	requested status = "requested"
	duplicate status = "duplicate"
	skipped   status = "skipped"
	rejected  status = "rejected"
	// pending: what becomes of the event is known after a look-up in the CRM.
	pending status = "pending"
)

// answer is the body of a 202.
type answer struct {
	Events []eventAnswer `json:"events"`
}

// eventAnswer is what became of one event of a webhook so far.
type eventAnswer struct {
	ID     uuid.UUID `json:"id"`
	Status status    `json:"status"`
	// Requests are the calls that were asked for, by request id.
	Requests []uuid.UUID  `json:"requests,omitempty"`
	Reason   event.Reason `json:"reason,omitempty"`
	Field    string       `json:"field,omitempty"`

	decided, seen int
}

// expect adds one decision. An event that some route wants is requested,
// whatever the others say; else a rejection tells more than a skip.
func (a *eventAnswer) expect(d mapping.Decision) {
	a.decided++
	if d.Request != nil {
		a.Status, a.Reason, a.Field = requested, "", ""
		a.Requests = append(a.Requests, d.Request.ID)
		return
	}
	if a.Status == requested || a.Status == rejected {
		return
	}
	a.Status, a.Reason, a.Field = skipped, d.Result.Reason, d.Result.Field
	if d.Result.Outcome == event.Rejected {
		a.Status = rejected
	}
}

// wait is for an event that is not decided yet.
func (a *eventAnswer) wait() {
	a.decided++
	a.Status = pending
}

// settle turns an event into a duplicate if all that came of it had been
// stored before.
func (a *eventAnswer) settle() {
	if a.seen == a.decided {
		a.Status = duplicate
	}
}
