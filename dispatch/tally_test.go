package dispatch

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
)

// TestTallyFollowsTheRecords: what it counts is what a sweep of the whole ledger would
// count.
func TestTallyFollowsTheRecords(t *testing.T) {
	t.Parallel()
	const kept = 24 * time.Hour
	begin := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	tally := newTally(kept)
	revision := uint64(0)
	add := func(id byte, r Record, at time.Duration) {
		t.Helper()
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		revision++
		if err := tally.add(uuid.UUID{id}, bus.Entry{Data: data, Revision: revision, Stored: begin.Add(at)}); err != nil {
			t.Fatal(err)
		}
	}
	add(1, Record{State: Claimed}, 0)
	add(2, Record{State: Claimed}, time.Minute)
	add(1, Record{State: Accepted}, 2*time.Minute)
	add(3, Record{State: Free, WaitMS: 60_000}, 3*time.Minute)
	add(4, Record{State: "from a newer version"}, 4*time.Minute)
	add(5, Record{State: Parked}, 5*time.Minute)

	count, oldest := tally.states(begin.Add(10 * time.Minute))
	for state, want := range map[State]int{Claimed: 1, Accepted: 1, Free: 1, unreadable: 1, Parked: 1, Unknown: 0} {
		if count[state] != want {
			t.Errorf("%s: %d, want %d", state, count[state], want)
		}
	}
	if oldest[Claimed] != 9*time.Minute || oldest[Free] != 7*time.Minute {
		t.Errorf("oldest %v", oldest)
	}
	stuck := tally.stuck(begin.Add(10*time.Minute), 6*time.Minute+time.Second)
	if !slices.Equal(stuck, []uuid.UUID{{2}}) {
		t.Errorf("stuck %v, want the claim alone: the free request waits for a minute", stuck)
	}
	if count, _ := tally.states(begin.Add(kept + 2*time.Hour)); len(count) != 0 {
		t.Errorf("%v is left of what the ledger has forgotten", count)
	}
}
