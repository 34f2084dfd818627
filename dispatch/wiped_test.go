package dispatch_test

import (
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/event"
)

// TestLostLedgerDoesNotDialAgain: NATS loses everything while a call is being
// placed. The process that placed it still knows.
func TestLostLedgerDoesNotDialAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 500 * time.Millisecond})
	w.run(fast(), good)
	r := request("lead-1", "+12025550142")
	w.send(r)
	for len(w.sim.Placed()) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("no call was placed")
		}
	}
	for _, name := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS"} {
		if err := w.js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	// The server may still be taking the old stores away; Tend tries again as well.
	late := time.After(20 * time.Second)
	for err := w.bus.Declare(t.Context()); err != nil; err = w.bus.Declare(t.Context()) {
		select {
		case <-late:
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if got := w.result(); got.Outcome != event.Accepted || got.Attempts != 1 {
		t.Errorf("ended %s after %d attempts, want accepted after 1", got.Outcome, got.Attempts)
	}
	if n := w.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}
