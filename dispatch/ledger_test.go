package dispatch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestLostLedgerDoesNotDialAgain: NATS loses all streams while a call is being
// placed. The process that placed it records the answer in the new ledger.
func TestLostLedgerDoesNotDialAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 500 * time.Millisecond})
	f.run(fast(), good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	testkit.Eventually(t, "a call is placed", func() bool { return len(f.sim.Placed()) > 0 })
	for _, name := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS"} {
		if err := f.js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	// The server may still be removing the old stores; the bus retries as well.
	testkit.Eventually(t, "the streams are declared again", func() bool { return f.bus.Declare(t.Context()) == nil })
	if got := f.result(); got.Outcome != event.Accepted || got.Attempts != 1 {
		t.Errorf("ended %s after %d attempts, want accepted after 1", got.Outcome, got.Attempts)
	}
	if n := f.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}

// TestClaimThatIsNotOnTheDiskDoesNotDial: a power cut would lose the claim, and
// the call would be dialled again.
func TestClaimThatIsNotOnTheDiskDoesNotDial(t *testing.T) {
	t.Parallel()
	config := bustest.Config(t)
	config.Embedded.SyncAlways = true
	f := newFixtureOn(t, callabsim.Options{}, config)
	_, stop := f.run(fast(), good)
	f.send(request("lead-1", "+12025550142"))
	if got := f.result(); got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	// nats-server keeps the files open: from here on it writes into unlinked files.
	blocks, err := filepath.Glob(filepath.Join(config.Embedded.Dir, "jetstream", "$G", "streams", "CALLBRIDGE_LEDGER", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks of the ledger: %v", err)
	}
	for _, block := range blocks {
		if err := os.Remove(block); err != nil {
			t.Fatal(err)
		}
	}
	second := request("lead-2", "+12025550143")
	// It is refused if it is flushed together with the ledger.
	_, _ = f.bus.Store(t.Context(), "", event.Item{Request: &second})
	testkit.Eventually(t, "not ready without a ledger on the disk", func() bool { return f.bus.Ready(t.Context()) != nil })
	stop()
	if n := f.dialled(second.ID); n != 0 {
		t.Errorf("dialled %d times, want 0", n)
	}
}
