package handlers

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/policy"
)

// status of one event in an answer.
type status string

const (
	requested status = "requested"
	// deferred: a call is requested, and waits until it may be made.
	deferred  status = "deferred"
	duplicate status = "duplicate"
	skipped   status = "skipped"
	rejected  status = "rejected"
	// pending: the event is decided after a lookup in the CRM.
	pending status = "pending"
)

// statuses are all statuses, in the order of the log line's attributes.
var statuses = [...]status{requested, deferred, pending, duplicate, skipped, rejected}

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
	// Until is when the first call that waits may be made, as far as is known.
	Until time.Time `json:"until,omitzero"`
	// Reason and Field say why there is no call, or none yet.
	Reason event.Reason `json:"reason,omitempty"`
	Field  string       `json:"field,omitempty"`
	// Was is what became of a duplicate without a call, for example dry_run: sent
	// again, it stays without a call.
	Was event.Reason `json:"was,omitempty"`

	// items counts what the event leads to, existing what of that was stored
	// by an earlier delivery.
	items, existing int
}

// add takes one item of the event into account. If any route requests a call that is made
// now, the event is requested; else a call that waits is reported before rejected, and
// that before skipped.
func (a *eventAnswer) add(item event.Item) {
	a.items++
	switch {
	case item.Pending != nil:
		a.Status = pending
	case item.Request != nil:
		a.Requests = append(a.Requests, item.Request.ID)
		a.request(item.Verdict)
	case a.Status == requested || a.Status == deferred || a.Status == rejected:
	default:
		a.Status, a.Reason, a.Field = skipped, item.Result.Reason, item.Result.Field
		if item.Result.Outcome == event.Rejected {
			a.Status = rejected
		}
	}
}

// request takes one call into account, which is made now or waits.
func (a *eventAnswer) request(v event.Verdict) {
	switch {
	case v.Action != string(policy.Wait):
		a.Status, a.Reason, a.Field, a.Until = requested, "", "", time.Time{}
	case a.Status == requested:
	case a.Status == deferred && !v.Until.Before(a.Until):
	default:
		a.Status, a.Reason, a.Field, a.Until = deferred, v.Gate, "", v.Until.UTC()
	}
}

// repeated says that everything that the event leads to was stored before.
func (a *eventAnswer) repeated() {
	if a.Status == deferred {
		a.Reason, a.Until = "", time.Time{}
	}
	a.Status = duplicate
}
