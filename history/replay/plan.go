// Package replay compares what was decided about stored events with what a configuration
// decides about them now: who would be called, who not any more, and who was called
// already. It places no call.
//
//   - plan.go: the plan, its items and their verdicts
//   - compare.go: one event, pure
//   - gather.go: the stored events and what was decided about them
package replay

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
)

// Verdict says what a replay of a request would change.
type Verdict string

const (
	// Same: the person is called, or not called, as before.
	Same Verdict = "same"
	// WouldCall: nobody was called, and now a call would be placed.
	WouldCall Verdict = "would_call"
	// WouldNotCall: a call is still to be placed, and now there would be none.
	WouldNotCall Verdict = "would_not_call"
	// CallChanges: a call is still to be placed, and would be another one.
	CallChanges Verdict = "call_changes"
	// NowInvalid: the event could be mapped, and now it is rejected.
	NowInvalid Verdict = "now_invalid"
	// AlreadyCalled: a call was placed, or may have been, and another one would be.
	AlreadyCalled Verdict = "already_called"
	// WaitsUntil: a call would be placed later.
	WaitsUntil Verdict = "waits_until"
	// Blocked: a call would be placed, but a gate of the policy ends it.
	Blocked Verdict = "blocked"
)

// Verdicts are all verdicts, those that call somebody first.
var Verdicts = []Verdict{WouldCall, WaitsUntil, CallChanges, AlreadyCalled, Blocked, WouldNotCall, NowInvalid, Same}

// Calls reports whether a person would be called who would not be without the replay.
func (v Verdict) Calls() bool { return v == WouldCall || v == WaitsUntil }

// Old is what was decided about a route of an event, as far as it is stored.
type Old struct {
	Request uuid.UUID     `json:"request_id"`
	Outcome event.Outcome `json:"outcome,omitzero"`
	Reason  event.Reason  `json:"reason,omitzero"`
	At      time.Time     `json:"at,omitzero"`
	// Open: a request is stored, and has no result but that it waits.
	Open bool `json:"open,omitzero"`
	// Revision is the sequence of its newest record in the ledger. Another one says that
	// something has happened since.
	Revision uint64 `json:"revision,omitzero"`

	call []byte
	to   event.Phone
}

// called reports whether a call was placed, or may have been.
func (o Old) called() bool {
	return slices.Contains([]event.Outcome{event.Accepted, event.Unknown, event.Ended, event.Analysed}, o.Outcome)
}

// Item is one route of one event.
type Item struct {
	Source string    `json:"source"`
	Event  uuid.UUID `json:"event_id"`
	// Route is empty where an event as a whole was decided.
	Route   string  `json:"route,omitzero"`
	Verdict Verdict `json:"verdict"`
	Old     Old     `json:"old,omitzero"`
	// Outcome, Reason and Field are those of the new decision; Outcome is "requested" for a
	// call.
	Outcome string       `json:"outcome"`
	Reason  event.Reason `json:"reason,omitzero"`
	Field   string       `json:"field,omitzero"`
	// Changed are the members of the call that differ.
	Changed []string `json:"changed,omitzero"`
	// Until and Gate are those of the policy.
	Until time.Time `json:"until,omitzero"`
	Gate  string    `json:"gate,omitzero"`
	// Digest is that of the new call, which is made again when the plan is applied.
	Digest string `json:"digest,omitzero"`
	// To is the number of the new call, masked.
	To string `json:"to,omitzero"`
}

// Plan is what a replay would do. It holds no number and no name of a person.
type Plan struct {
	ID   uuid.UUID `json:"id"`
	Made time.Time `json:"made"`
	By   string    `json:"by,omitzero"`
	// Config is the hash of the configuration, ZoneData the release of the time zones, and
	// Version that of callbridge, by which the plan was made.
	Config   string `json:"config"`
	ZoneData string `json:"zone_data"`
	Version  string `json:"version"`
	// Read is how many results were looked at, and Partly that there are older ones.
	Read   int    `json:"read"`
	Partly bool   `json:"partly,omitzero"`
	Items  []Item `json:"items"`
}

// Counts are the items of each verdict.
func (p Plan) Counts() map[Verdict]int {
	counts := map[Verdict]int{}
	for _, item := range p.Items {
		counts[item.Verdict]++
	}
	return counts
}

// People is how many calls the plan would place.
func (p Plan) People() int {
	n := 0
	for _, item := range p.Items {
		if item.Verdict.Calls() {
			n++
		}
	}
	return n
}

// sort puts the items that call somebody first, and keeps the order of each kind.
func (p *Plan) sort() {
	slices.SortStableFunc(p.Items, func(a, b Item) int {
		return slices.Index(Verdicts, a.Verdict) - slices.Index(Verdicts, b.Verdict)
	})
}
