package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/dispatch/record"
	"callbridge/event"
)

// ledgerTimeout limits one read or write of the ledger.
const ledgerTimeout = 4 * time.Second

// entry is a record with its revision in the ledger. The zero entry is that of
// a request without a record.
type entry struct {
	record.Record
	revision uint64
	stored   time.Time
	// fresh: this delivery wrote the record; it was not read.
	fresh bool
}

// unsent reports whether no attempt may have placed a call.
func (e entry) unsent() bool { return e.State == record.None || e.Unsent }

// load reads the newest entry of a request.
func (d *Dispatcher) load(ctx context.Context, id uuid.UUID) (entry, error) {
	if ledgerOff {
		return entry{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	got, err := d.ledger.Get(ctx, id)
	if err != nil || got.Revision == 0 {
		return entry{}, err
	}
	return entry{Record: record.Read(got.Data), revision: got.Revision, stored: got.Stored}, nil
}

// compareAndSet writes the next record of a request if over is still its newest
// entry; otherwise it returns bus.ErrConflict. If the acknowledgement is lost,
// the record is read back: only its own nonce proves that it was stored.
func (d *Dispatcher) compareAndSet(ctx context.Context, r request, next record.Record, over entry) (entry, error) {
	if ledgerOff {
		return entry{Record: next, stored: time.Now(), fresh: true}, nil
	}
	next.Source, next.Owner, next.Nonce = r.Event.Source, d.instance, uuid.NewString()
	data, err := event.Marshal(next)
	if err != nil {
		return entry{}, fmt.Errorf("encode ledger %s: %w", r.ID, err)
	}
	limited, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	revision, err := d.ledger.Put(limited, r.ID, data, over.revision)
	if err == nil {
		return entry{Record: next, revision: revision, stored: time.Now(), fresh: true}, nil
	}
	if errors.Is(err, bus.ErrConflict) {
		return entry{}, err
	}
	// A record that is perhaps not on the disk must not be acted on, even if
	// it can be read.
	if !errors.Is(err, bus.ErrNotDurable) {
		if found, loadErr := d.load(ctx, r.ID); loadErr == nil && found.Nonce == next.Nonce {
			return found, nil
		}
	}
	// A claim in a ledger that has lost records is no proof that no call was sent.
	if next.State == record.Claimed && !errors.Is(err, bus.ErrLost) {
		d.unusedClaims.Store(next.Nonce, true)
	}
	return entry{}, fmt.Errorf("ledger write in doubt: %w", err)
}

// age is the time since an entry was stored, without the local clock, which may be
// wrong and may jump: by the monotonic clock for an entry that was just written, and else
// by the clock of the NATS server.
func (d *Dispatcher) age(ctx context.Context, e entry) (time.Duration, error) {
	if e.fresh {
		return time.Since(e.stored), nil
	}
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	now, err := d.ledger.Now(ctx)
	if err != nil {
		return 0, err
	}
	return now.Sub(e.stored), nil
}
