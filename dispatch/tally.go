package dispatch

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
)

// tally counts the requests of the ledger by state, from its records in their order. Open
// requests are kept one by one; of the others only how many ended within an hour, until
// the ledger forgets them.
type tally struct {
	// last is how far the ledger was read.
	last bus.Position
	open map[uuid.UUID]openRequest
	// ended counts by the hour of the record.
	ended map[int64]map[State]int
	kept  time.Duration
}

// openRequest is what a sweep needs of a record.
type openRequest struct {
	state  State
	stored time.Time
	wait   time.Duration
	// foreign: it is left to the process that knows its state.
	foreign bool
}

// newTally returns a tally of a ledger that keeps its records for a while.
func newTally(kept time.Duration) *tally {
	t := &tally{kept: kept}
	t.reset()
	return t
}

func (t *tally) reset() {
	t.last, t.open, t.ended = bus.Position{}, map[uuid.UUID]openRequest{}, map[int64]map[State]int{}
}

// add counts a record. No state follows a final one.
func (t *tally) add(id uuid.UUID, e bus.Entry) error {
	r := readRecord(e.Data)
	if _, final := outcomes[r.State]; !final {
		t.open[id] = openRequest{r.State, e.Stored, r.wait(), r.isForeign()}
		return nil
	}
	delete(t.open, id)
	hour := e.Stored.Unix() / int64(time.Hour/time.Second)
	if t.ended[hour] == nil {
		t.ended[hour] = map[State]int{}
	}
	t.ended[hour][r.State]++
	return nil
}

// states returns how many requests are in each state, and the age of the oldest record.
// It forgets what the ledger has forgotten.
func (t *tally) states(now time.Time) (count map[State]int, oldest map[State]time.Duration) {
	count, oldest = map[State]int{}, map[State]time.Duration{}
	add := func(s State, n int, age time.Duration) {
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

// stuck returns the open requests that are overdue. A false positive is safe: both
// workers use compare-and-set, and one of them loses.
func (t *tally) stuck(now time.Time, overdue time.Duration) (ids []uuid.UUID) {
	for id, r := range t.open {
		if !r.foreign && now.Sub(r.stored)-r.wait > overdue {
			ids = append(ids, id)
		}
	}
	return ids
}
