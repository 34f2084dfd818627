package handlers

import (
	"slices"

	"github.com/google/uuid"

	"callbridge/event"
)

// status of one event in an answer.
type status string

const (
	requested status = "requested"
	duplicate status = "duplicate"
	skipped   status = "skipped"
	rejected  status = "rejected"
	// pending: the event is decided after a lookup in the CRM.
	pending status = "pending"
)

// statuses are all statuses, in the order of the log line's attributes.
var statuses = [...]status{requested, pending, duplicate, skipped, rejected}

// statusCounts counts events by status, in the order of statuses.
type statusCounts [len(statuses)]int

// add counts one event. It ignores an event without a status: storing an
// earlier event of the batch failed.
func (n *statusCounts) add(s status) {
	if i := slices.Index(statuses[:], s); i >= 0 {
		n[i]++
	}
}

// answer is the body of a 202.
type answer struct {
	Events []eventAnswer `json:"events"`
}

// eventAnswer tells the sender what one event of its webhook has led to so far.
type eventAnswer struct {
	ID     uuid.UUID `json:"id"`
	Status status    `json:"status"`
	// Requests are the ids of the requested calls.
	Requests []uuid.UUID `json:"requests,omitempty"`
	// Reason and Field say why there is no call.
	Reason event.Reason `json:"reason,omitempty"`
	Field  string       `json:"field,omitempty"`
	// Was is what became of a duplicate without a call, for example dry_run: sent
	// again, it stays without a call.
	Was event.Reason `json:"was,omitempty"`

	// items counts what the event leads to, existing what of that was stored
	// by an earlier delivery.
	items, existing int
}

// add takes one item of the event into account. If any route requests a call,
// the event is requested; else rejected is reported before skipped.
func (a *eventAnswer) add(item event.Item) {
	a.items++
	switch {
	case item.Pending != nil:
		a.Status = pending
	case item.Request != nil:
		a.Status, a.Reason, a.Field = requested, "", ""
		a.Requests = append(a.Requests, item.Request.ID)
	case a.Status == requested || a.Status == rejected:
	default:
		a.Status, a.Reason, a.Field = skipped, item.Result.Reason, item.Result.Field
		if item.Result.Outcome == event.Rejected {
			a.Status = rejected
		}
	}
}
