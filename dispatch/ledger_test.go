package dispatch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/callab/callabsim"
	"callbridge/event"
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
	for len(f.sim.Placed()) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("no call was placed")
		}
	}
	for _, name := range []string{"CALLBRIDGE_REQUESTS", "CALLBRIDGE_LEDGER", "CALLBRIDGE_RESULTS"} {
		if err := f.js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	// The server may still be removing the old stores; the bus retries as well.
	late := time.After(20 * time.Second)
	for err := f.bus.Declare(t.Context()); err != nil; err = f.bus.Declare(t.Context()) {
		select {
		case <-late:
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
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
	dir := t.TempDir()
	f := newFixtureOn(t, callabsim.Options{}, bus.Embedded{Dir: dir, Listen: "127.0.0.1:0", SyncAlways: true})
	_, stop := f.run(fast(), good)
	f.send(request("lead-1", "+12025550142"))
	if got := f.result(); got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	// nats-server keeps the files open: from here on it writes into unlinked files.
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
	f.send(second)
	for end := time.Now().Add(30 * time.Second); f.bus.Ready(t.Context()) == nil; {
		if time.Now().After(end) {
			t.Fatal("ready without a ledger on the disk")
		}
	}
	stop()
	if n := f.dialled(second.ID); n != 0 {
		t.Errorf("dialled %d times, want 0", n)
	}
}

func TestEachReadsTheNewestRecordOfEveryRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	ledger := f.bus.Ledger()
	const n = 2500
	for i := range n {
		id := uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)})
		revision, err := ledger.Put(t.Context(), id, []byte("old"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			continue
		}
		if _, err := ledger.Put(t.Context(), id, []byte("new"), revision); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[uuid.UUID]string{}
	err := ledger.Each(t.Context(), func(id uuid.UUID, e bus.Entry) error {
		seen[id] = string(e.Data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	newer := 0
	for _, data := range seen {
		if data == "new" {
			newer++
		}
	}
	if len(seen) != n || newer != n/2 {
		t.Errorf("saw %d requests, %d of them changed; want %d and %d", len(seen), newer, n, n/2)
	}
}
