package dispatch_test

import (
	"slices"
	"testing"

	"callbridge/callab/callabsim"
	"callbridge/dispatch"
)

// TestClaimOfAProcessElsewhereIsLeftAlone: a second callbridge may use the NATS
// that is embedded in the first. The store lock says nothing about that one:
// its claim lives until it is old.
func TestClaimOfAProcessElsewhereIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	w.claimed(r, "a process elsewhere")
	w.send(r)
	_, stop := w.run(fast(), good)
	until(t, "the request was delivered and given back", func() bool {
		consumer, err := w.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
		return err == nil && consumer.CachedInfo().NumAckPending == 1 && consumer.CachedInfo().Delivered.Consumer >= 1
	})
	stop()
	if want := []dispatch.State{dispatch.Claimed}; !slices.Equal(w.states(r.ID), want) {
		t.Errorf("ledger went %v, want %v", w.states(r.ID), want)
	}
}
