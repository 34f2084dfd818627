package tally

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/dispatch/record"
)

// TestTallyFollowsTheRecords: what it counts is what a sweep of the whole ledger would
// count.
func TestTallyFollowsTheRecords(t *testing.T) {
	t.Parallel()
	const kept = 24 * time.Hour
	begin := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	tally := New(kept)
	add := func(id byte, r record.Record, at time.Duration) { tally.Add(uuid.UUID{id}, r, begin.Add(at)) }
	add(1, record.Record{State: record.Claimed}, 0)
	add(2, record.Record{State: record.Claimed}, time.Minute)
	add(1, record.Record{State: record.Accepted}, 2*time.Minute)
	add(3, record.Record{State: record.Free, WaitMS: 60_000}, 3*time.Minute)
	add(4, record.Read([]byte(`{"state":"from a newer version"}`)), 4*time.Minute)
	add(5, record.Record{State: record.Parked}, 5*time.Minute)

	count, oldest := tally.States(begin.Add(10 * time.Minute))
	for state, want := range map[record.State]int{record.Claimed: 1, record.Accepted: 1, record.Free: 1, record.Unreadable: 1, record.Parked: 1, record.Unknown: 0} {
		if count[state] != want {
			t.Errorf("%s: %d, want %d", state, count[state], want)
		}
	}
	if oldest[record.Claimed] != 9*time.Minute || oldest[record.Free] != 7*time.Minute {
		t.Errorf("oldest %v", oldest)
	}
	stuck, acked := tally.Stuck(begin.Add(10*time.Minute), 6*time.Minute+time.Second)
	if !slices.Equal(stuck, []uuid.UUID{{2}}) || acked != nil {
		t.Errorf("stuck %v, want the claim alone: the free request waits for a minute", stuck)
	}
	if count, _ := tally.States(begin.Add(kept + 2*time.Hour)); len(count) != 0 {
		t.Errorf("%v is left of what the ledger has forgotten", count)
	}
}
