// Package tally counts the requests of the ledger, and knows which of them are overdue.
package tally

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/dispatch/record"
)

// Tally counts the requests of the ledger by state, from its records in their order. Open
// requests are kept one by one; of the others only how many ended within an hour, until
// the ledger forgets them.
type Tally struct {
	// Last is how far the ledger was read.
	Last bus.Position
	open map[uuid.UUID]openRequest
	// ended counts by the hour of the record.
	ended map[int64]map[record.State]int
	kept  time.Duration
}

// openRequest is what a sweep needs of a record.
type openRequest struct {
	state  record.State
	stored time.Time
	wait   time.Duration
	// foreign: it is left to the process that knows its state.
	foreign bool
}

// New returns a tally of a ledger that keeps its records for a while.
func New(kept time.Duration) *Tally {
	t := &Tally{kept: kept}
	t.Reset()
	return t
}

// Reset forgets all records.
func (t *Tally) Reset() {
	t.Last, t.open, t.ended = bus.Position{}, map[uuid.UUID]openRequest{}, map[int64]map[record.State]int{}
}

// Add counts a record. No state follows a final one.
func (t *Tally) Add(id uuid.UUID, e bus.Entry) error {
	r := record.Read(e.Data)
	if !r.State.IsFinal() {
		t.open[id] = openRequest{r.State, e.Stored, r.Wait(), r.IsForeign()}
		return nil
	}
	delete(t.open, id)
	hour := e.Stored.Unix() / int64(time.Hour/time.Second)
	if t.ended[hour] == nil {
		t.ended[hour] = map[record.State]int{}
	}
	t.ended[hour][r.State]++
	return nil
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

// Stuck returns the open requests that are overdue. A false positive is safe: both
// workers use compare-and-set, and one of them loses.
func (t *Tally) Stuck(now time.Time, overdue time.Duration) (ids []uuid.UUID) {
	for id, r := range t.open {
		if !r.foreign && now.Sub(r.stored)-r.wait > overdue {
			ids = append(ids, id)
		}
	}
	return ids
}
