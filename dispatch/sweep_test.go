package dispatch_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/callab/callabsim"
	"callbridge/event"
)

func TestSweepTakesUpWhatNobodyDelivers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	w.claimed(r, "embedded-a process that is gone")
	w.send(r)
	// Somebody else acknowledges the request: it is never delivered again.
	consumer, err := w.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := msg.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}

	config := fast()
	config.WriteWindow, config.Settle = 100*time.Millisecond, 100*time.Millisecond
	config.ClaimAge, config.SweepEvery = 3500*time.Millisecond, 300*time.Millisecond
	w.run(config, good)
	if got := w.result(); got.RequestID != r.ID || got.Outcome != event.Unknown {
		t.Errorf("ended %s (%s) for %s", got.Outcome, got.Reason, got.RequestID)
	}
}

func TestEachReadsTheNewestRecordOfEveryRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	ledger := w.bus.Ledger()
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
