package handlers

import (
	"fmt"
	"testing"
	"time"
)

func TestFailuresAreLimitedBySourceAndNetwork(t *testing.T) {
	t.Parallel()
	f, now := newFailureLimiter(), time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	for i := range failureBurst {
		if wait := f.add("website", fmt.Sprintf("2001:db8::%x", i+1), now); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	for _, c := range []struct {
		source, address string
		after, want     time.Duration
	}{
		{"website", "2001:db8::ffff", 0, failureEvery},
		{"website", "2001:db8:0:1::1", 0, 0},
		{"hubspot", "2001:db8::1", 0, 0},
		{"website", "192.0.2.1", 0, 0},
		{"website", "::ffff:192.0.2.1", 0, 0},
		{"website", "2001:db8::1", failureEvery / 2, failureEvery / 2},
		{"website", "2001:db8::1", failureEvery, 0},
		{"website", "2001:db8::1", failureEvery, failureEvery},
	} {
		if wait := f.add(c.source, c.address, now.Add(c.after)); wait != c.want {
			t.Errorf("%s from %s after %s waits %s, want %s", c.source, c.address, c.after, wait, c.want)
		}
	}
}

func TestRememberedSendersAreBounded(t *testing.T) {
	t.Parallel()
	f, now := newFailureLimiter(), time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	for i := range 5 * maxSenders {
		f.add("website", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
	}
	if n := len(f.newer) + len(f.older); n > 2*maxSenders {
		t.Errorf("%d addresses are remembered, want %d at most", n, 2*maxSenders)
	}
}
