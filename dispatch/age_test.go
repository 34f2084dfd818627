package dispatch

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus/bustest"
)

// TestAgeOfAFreshEntryAsksNoOtherClock: the entry has our time, and NATS's clock may
// differ from ours. A claim or an unknown call of just now would count as old.
func TestAgeOfAFreshEntryAsksNoOtherClock(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Config(t))
	config := Config{Concurrency: 1, Attempts: 1, WriteWindow: time.Second, CallTimeout: time.Second, APIIdle: time.Second, ClaimAge: time.Minute, Settle: time.Second}
	d, err := New(b, nil, config, prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Conn().Close()
	if age, err := d.age(t.Context(), entry{fresh: true, stored: time.Now().Add(-time.Second)}); err != nil || age < time.Second || age > time.Minute {
		t.Errorf("age %s: %v", age, err)
	}
	if _, err := d.age(t.Context(), entry{stored: time.Now()}); err == nil {
		t.Error("the age of an entry that was read is known without NATS")
	}
}
