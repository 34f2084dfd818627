package dispatch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/callab/callabsim"
	"callbridge/event"
)

// TestClaimThatIsNotOnTheDiskDoesNotDial: after a power cut, nobody would know
// of the call.
func TestClaimThatIsNotOnTheDiskDoesNotDial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorldOn(t, callabsim.Options{}, bus.Embedded{Dir: dir, Listen: "127.0.0.1:0", SyncAlways: true})
	_, stop := w.run(fast(), good)
	w.send(request("lead-1", "+12025550142"))
	if got := w.result(); got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	// What nats-server writes from here on is in a file without a name.
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", "CALLBRIDGE_LEDGER", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks of the ledger: %v", err)
	}
	for _, block := range blocks {
		if err := os.Remove(block); err != nil {
			t.Fatal(err)
		}
	}
	second := request("lead-2", "+12025550143")
	w.send(second)
	for end := time.Now().Add(30 * time.Second); w.bus.Ready(t.Context()) == nil; {
		if time.Now().After(end) {
			t.Fatal("ready without a ledger on the disk")
		}
	}
	stop()
	if n := w.dialled(second.ID); n != 0 {
		t.Errorf("dialled %d times, want 0", n)
	}
}
