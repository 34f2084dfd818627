// Package tally counts the requests of the ledger, and knows which of them are overdue.
package tally

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"callbridge/dispatch/record"
	"callbridge/event"
)

// Tally counts the requests of the ledger by state, from its records in their order. Open
// requests are kept one by one; of the others only how many ended within an hour, until
// the ledger forgets them.
type Tally struct {
	open map[uuid.UUID]openRequest
	// ended counts by the hour of the record.
	ended map[int64]map[record.State]int
	kept  time.Duration
}

// openRequest is what a sweep needs of a record.
type openRequest struct {
	state  record.State
	reason event.Reason
	stored time.Time
	// acked: NATS does not deliver it again.
	acked bool
	// foreign: it is left to the process that knows its state.
	foreign bool
	// wait is how long after it was stored nothing is to be done.
	wait time.Duration
}

// New returns a tally of a ledger that keeps its records for a while.
func New(kept time.Duration) *Tally {
	t := &Tally{kept: kept}
	t.Reset()
	return t
}

// Reset forgets all records.
func (t *Tally) Reset() {
	t.open, t.ended = map[uuid.UUID]openRequest{}, map[int64]map[record.State]int{}
}

// Add counts a record. No state follows a final one.
func (t *Tally) Add(id uuid.UUID, r record.Record, stored time.Time) {
	if !r.State.IsFinal() {
		t.open[id] = openRequest{r.State, r.Reason, stored, r.Acked, r.IsForeign(), waitOf(r, stored)}
		return
	}
	delete(t.open, id)
	hour := stored.Unix() / int64(time.Hour/time.Second)
	if t.ended[hour] == nil {
		t.ended[hour] = map[record.State]int{}
	}
	t.ended[hour][r.State]++
}

// waitOf is how long after it was stored nothing is to be done about a request.
func waitOf(r record.Record, stored time.Time) time.Duration {
	if r.State == record.Waiting {
		return r.Due.Sub(stored)
	}
	return r.Wait()
}

// States returns how many requests are in each state, and the age of the oldest record.
// It forgets what the ledger has forgotten.
func (t *Tally) States(now time.Time) (count map[record.State]int, oldest map[record.State]time.Duration) {
	count, oldest = map[record.State]int{}, map[record.State]time.Duration{}
	add := func(s record.State, n int, age time.Duration) {
		count[s] += n
		oldest[s] = max(oldest[s], age)
	}
	maps.DeleteFunc(t.open, func(_ uuid.UUID, r openRequest) bool { return now.Sub(r.stored) > t.kept })
	for _, r := range t.open {
		add(r.state, 1, now.Sub(r.stored))
	}
	for hour, states := range t.ended {
		age := now.Sub(time.Unix(hour*int64(time.Hour/time.Second), 0))
		if age > t.kept+time.Hour {
			delete(t.ended, hour)
			continue
		}
		for s, n := range states {
			add(s, n, age)
		}
	}
	return count, oldest
}

// Waiting returns how many requests wait, by reason, and for how long the first of them is
// due; zero if none is.
func (t *Tally) Waiting(now time.Time) (count map[event.Reason]int, overdue time.Duration) {
	count = map[event.Reason]int{}
	for _, r := range t.open {
		if r.state == record.Waiting {
			count[r.reason]++
			overdue = max(overdue, now.Sub(r.stored)-r.wait)
		}
	}
	return count, overdue
}

// Stuck returns the open requests that are overdue: those that NATS should have delivered,
// and those that it does not deliver again. A false positive is safe: both workers use
// compare-and-set, and one of them loses.
func (t *Tally) Stuck(now time.Time, overdue time.Duration) (unacked, acked []uuid.UUID) {
	for id, r := range t.open {
		switch {
		case r.foreign || now.Sub(r.stored)-r.wait <= overdue:
		case r.acked:
			acked = append(acked, id)
		default:
			unacked = append(unacked, id)
		}
	}
	return unacked, acked
}
