package handlers

import (
	"slices"
	"strconv"

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

// statuses are in the order in which the log tells them.
var statuses = [...]status{requested, pending, duplicate, skipped, rejected}

// tally counts events by status, in the order of statuses.
type tally [len(statuses)]int

// add leaves out events that nothing was decided about, since one before them failed.
func (t *tally) add(s status) {
	if i := slices.Index(statuses[:], s); i >= 0 {
		t[i]++
	}
}

// answer is the body of a 202.
type answer struct {
	Events []eventAnswer
}

// eventAnswer is what became of one event of a webhook so far.
type eventAnswer struct {
	ID     uuid.UUID
	Status status
	// Requests are the calls that were asked for, by request id.
	Requests []uuid.UUID
	// Reason and Field may be empty.
	Reason event.Reason
	Field  string

	decided, seen int
}

// roomOfEvent is what the answer to one event needs, in bytes.
const roomOfEvent = 160

// encode writes the answer as JSON. Each webhook waits for it.
func (a answer) encode() []byte {
	b := append(make([]byte, 0, len(a.Events)*roomOfEvent), `{"events":[`...)
	for i, e := range a.Events {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.append(b)
	}
	return append(b, `]}`...)
}

func (a eventAnswer) append(b []byte) []byte {
	b = event.AppendID(append(b, `{"id":"`...), a.ID)
	b = append(append(b, `","status":"`...), a.Status...)
	for i, id := range a.Requests {
		between := `","`
		if i == 0 {
			between = `","requests":["`
		}
		b = event.AppendID(append(b, between...), id)
	}
	b = append(b, '"')
	if len(a.Requests) > 0 {
		b = append(b, ']')
	}
	if a.Reason != "" {
		b = strconv.AppendQuote(append(b, `,"reason":`...), string(a.Reason))
	}
	if a.Field != "" { // a name of the configuration: a-z, 0-9 and _
		b = strconv.AppendQuote(append(b, `,"field":`...), a.Field)
	}
	return append(b, '}')
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
