package testkit

import (
	"testing"
	"time"
)

const (
	// limit is how long Eventually and the receiving functions wait. It is far above what
	// a loaded machine needs, because it only delays tests that fail.
	limit = 30 * time.Second
	// interval is the time between two checks of a condition.
	interval = 10 * time.Millisecond
)

// Eventually checks a condition until it holds, and ends the test if it does not hold
// within 30 s. what completes the sentence "not within 30 s: …".
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !Within(limit, condition) {
		t.Fatalf("not within %s: %s", limit, what)
	}
}

// Within reports whether a condition holds before a duration is over.
func Within(d time.Duration, condition func() bool) bool {
	deadline, tick := time.NewTimer(d), time.NewTicker(interval)
	defer deadline.Stop()
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return condition()
		}
	}
	return true
}

// Next receives from a channel, and ends the test if nothing arrives within 30 s.
func Next[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case value := <-ch:
		return value
	case <-time.After(limit):
		t.Fatalf("nothing received within %s", limit)
		panic("unreachable")
	}
}
