package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
)

// ledgerTimeout is how long one read or write of the ledger may take.
const ledgerTimeout = 4 * time.Second

// entry is a record with its place in the ledger.
type entry struct {
	Record
	revision uint64
	stored   time.Time
	// fresh: written by this very delivery, not read.
	fresh bool
}

// errInDoubt: a write was sent, and whether it was stored is not known.
var errInDoubt = errors.New("ledger write in doubt")

func isConflict(err error) bool { return errors.Is(err, bus.ErrConflict) }

func (d *Dispatcher) read(ctx context.Context, id uuid.UUID) (entry, error) {
	if ledgerOff {
		return entry{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	got, err := d.ledger.Get(ctx, id)
	if err != nil || got.Revision == 0 {
		return entry{}, err
	}
	e := entry{revision: got.Revision, stored: got.Stored}
	if err := json.Unmarshal(got.Data, &e.Record); err != nil {
		return entry{}, fmt.Errorf("decode ledger %s: %w", id, err)
	}
	return e, nil
}

// put writes the next record of a request in place of the one that was read.
// A write whose answer is lost is read back: only its own nonce proves that it
// won.
func (d *Dispatcher) put(ctx context.Context, id uuid.UUID, next Record, over entry) (entry, error) {
	if ledgerOff {
		return entry{Record: next, stored: time.Now(), fresh: true}, nil
	}
	next.Owner, next.Nonce = d.instance, uuid.NewString()
	data, err := next.encode()
	if err != nil {
		return entry{}, fmt.Errorf("encode ledger %s: %w", id, err)
	}
	writing, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	revision, err := d.ledger.Put(writing, id, data, over.revision)
	if err == nil {
		return entry{Record: next, revision: revision, stored: time.Now(), fresh: true}, nil
	}
	if isConflict(err) {
		return entry{}, err
	}
	if !errors.Is(err, bus.ErrNotDurable) {
		if found, readErr := d.read(ctx, id); readErr == nil && found.Nonce == next.Nonce {
			return found, nil
		}
	}
	if next.State == Claimed {
		d.abandoned.Store(next.Nonce, true)
	}
	return entry{}, fmt.Errorf("%w: %w", errInDoubt, err)
}

// age of an entry, by the clock of the server that stored it: no jump of our
// own clock can make a claim look dead.
func (d *Dispatcher) age(ctx context.Context, e entry) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	now, err := d.ledger.Now(ctx)
	if err != nil {
		return 0, err
	}
	return now.Sub(e.stored), nil
}
