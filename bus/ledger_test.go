package bus_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"callbridge/bus"
)

func TestLedgerLetsOneOfManyWin(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	ledger, id := b.Ledger(), request("lead-1").ID
	const workers = 20
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { _, errs[i] = ledger.Put(t.Context(), id, []byte(`{"n":1}`), 0) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, bus.ErrConflict):
			t.Errorf("put: %v, want %v", err, bus.ErrConflict)
		}
	}
	if won != 1 {
		t.Errorf("%d workers won, want 1", won)
	}
}

func TestLedgerKeepsTheNewestRecord(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	ledger, id := b.Ledger(), request("lead-1").ID
	empty, err := ledger.Get(t.Context(), id)
	if err != nil || empty.Revision != 0 {
		t.Fatalf("get of nothing: %+v, %v", empty, err)
	}
	revision := uint64(0)
	for i := range 40 {
		if revision, err = ledger.Put(t.Context(), id, []byte{'0' + byte(i%10)}, revision); err != nil {
			t.Fatalf("put %d: %v", i, err)
		}
	}
	got, err := ledger.Get(t.Context(), id)
	if err != nil || string(got.Data) != "9" || got.Revision != revision {
		t.Errorf("get: %q at %d, %v; want 9 at %d", got.Data, got.Revision, err, revision)
	}
	now, err := ledger.Now(t.Context())
	if err != nil || now.Before(got.Stored) {
		t.Errorf("server clock %s is before the record's %s (%v)", now, got.Stored, err)
	}
}

func TestEachReadsTheNewestRecordOfEveryRequest(t *testing.T) {
	t.Parallel()
	ledger := open(t, embedded(t)).Ledger()
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
