package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrConflict: somebody else has written since the revision that was read.
var ErrConflict = errors.New("ledger has moved on")

// ErrNotDurable: the record was stored and is perhaps not on the disk. Whoever
// reads it back finds it, and must not act on it.
var ErrNotDurable = errors.New("not known to be on the disk")

// Entry is the newest record of one request. The zero Entry stands for a
// request that the ledger does not know.
type Entry struct {
	Data []byte
	// Revision is what a change must name; 0 if there is no record.
	Revision uint64
	// Stored is when the server took the record, by the server's clock.
	Stored time.Time
}

// Ledger keeps one record a request, and changes it only for the one who has
// read the newest.
type Ledger struct{ bus *Bus }

// Ledger gives access to the ledger.
func (b *Bus) Ledger() Ledger { return Ledger{b} }

// Get reads the newest record. The stream's leader answers, never a replica
// that may lag.
func (l Ledger) Get(ctx context.Context, id uuid.UUID) (Entry, error) {
	msg, err := l.bus.ledger.GetLastMsgForSubject(ctx, l.bus.ledgerSubject(id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, fmt.Errorf("read ledger %s: %w", id, err)
	}
	return Entry{Data: msg.Data, Revision: msg.Sequence, Stored: msg.Time}, nil
}

// Put writes the next record if revision is still the newest. ErrConflict says
// that it is not. Any other error leaves open whether the record was stored:
// read it back.
func (l Ledger) Put(ctx context.Context, id uuid.UUID, data []byte, revision uint64) (uint64, error) {
	msg := &nats.Msg{Subject: l.bus.ledgerSubject(id), Data: data, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
	}}
	stored, err := l.bus.write(ctx, msg)
	if isConflict(err) {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("write ledger %s: %w", id, explain(err))
	}
	if err := l.bus.durable.flush(ctx, "ledger"); err != nil {
		return 0, fmt.Errorf("write ledger %s: %w: %w", id, ErrNotDurable, err)
	}
	return stored, nil
}

// Now is the server's clock, the one that Entry.Stored was taken from: the age
// of a record does not depend on the clock of this machine.
func (l Ledger) Now(ctx context.Context) (time.Time, error) {
	info, err := l.bus.ledger.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read ledger time: %w", err)
	}
	return info.TimeStamp, nil
}

// Each calls fn with the newest record of every request that the ledger keeps,
// in the order of their last change. It reads the whole ledger: for a sweep,
// not for a decision. It stops at fn's error.
func (l Ledger) Each(ctx context.Context, fn func(id uuid.UUID, e Entry) error) error {
	// Not an ordered consumer: one that is re-made in the middle goes on with
	// every record, not with the newest ones.
	records, err := l.bus.ledger.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: l.bus.config.Prefix + ".ledger.*",
		AckPolicy:     jetstream.AckNonePolicy,
		MemoryStorage: true, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	left := records.CachedInfo().NumPending
	for left > 0 {
		batch, err := records.Fetch(int(min(left, eachBatch)), jetstream.FetchContext(ctx))
		if err != nil {
			return fmt.Errorf("read ledger: %w", err)
		}
		read := uint64(0)
		for msg := range batch.Messages() {
			read++
			if err := each(msg, fn); err != nil {
				return err
			}
		}
		if batch.Error() != nil || read == 0 {
			return fmt.Errorf("read ledger: %w", errors.Join(batch.Error(), ctx.Err()))
		}
		left -= min(left, read)
	}
	return nil
}

// eachBatch is how many records are asked for at once.
const eachBatch = 1000

func each(msg jetstream.Msg, fn func(uuid.UUID, Entry) error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	id, err := uuid.Parse(msg.Subject()[strings.LastIndexByte(msg.Subject(), '.')+1:])
	if err != nil {
		return nil // not one of ours
	}
	return fn(id, Entry{Data: msg.Data(), Revision: meta.Sequence.Stream, Stored: meta.Timestamp})
}
