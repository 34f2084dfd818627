package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/limit"
	"callbridge/bus/stream"
)

// ErrConflict: there is a newer record than the revision of the write.
var ErrConflict = errors.New("ledger has moved on")

// ErrNotDurable: the record is stored and may not be on the disk. It can be read,
// but must not be acted on.
var ErrNotDurable = errors.New("not known to be on the disk")

// ErrLost: the record has a lower sequence than an earlier one, so that the ledger was
// made again or restored meanwhile. It comes together with ErrNotDurable.
var ErrLost = errors.New("the ledger has lost records")

// Entry is the newest record of one request. It is zero for a request without a
// record.
type Entry struct {
	Data []byte
	// Revision is the sequence to give to Put; 0 if there is no record.
	Revision uint64
	// Stored is when the server stored the record, by its clock.
	Stored time.Time
}

// Ledger keeps one record for each request, and changes it by compare-and-set.
type Ledger struct{ bus *Bus }

// Ledger returns the ledger.
func (b *Bus) Ledger() Ledger { return Ledger{b} }

// Limits returns the store of the rate tokens and of the slots.
func (b *Bus) Limits() limit.Store {
	return limit.Store{JetStream: b.js, Stream: b.limits, Prefix: b.config.Prefix + ".limit"}
}

// Slots returns the limit of calls that are placed at the same time.
func (b *Bus) Slots(n int, lease time.Duration) *limit.Slots {
	return b.Limits().Slots("place", n, lease)
}

// Limiter returns the limit of calls a second.
func (b *Bus) Limiter(perSecond float64) *limit.Limiter { return b.Limits().Limiter(perSecond) }

// Get reads the newest record, from the leader of the stream: a replica could
// return an older one.
func (l Ledger) Get(ctx context.Context, id uuid.UUID) (Entry, error) {
	msg, err := l.bus.ledger.GetLastMsgForSubject(ctx, l.bus.ledgerSubject(id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, fmt.Errorf("read ledger %s: %w", id, err)
	}
	// A record whose writer still waits for the disk must not be acted on either.
	if err := l.bus.server.Flush(ctx, stream.Ledger); err != nil {
		return Entry{}, fmt.Errorf("read ledger %s: %w: %w", id, ErrNotDurable, err)
	}
	return Entry{Data: msg.Data, Revision: msg.Sequence, Stored: msg.Time}, nil
}

// Retention is Config.Retention.
func (b *Bus) Retention() time.Duration { return b.config.Retention }

// UndoneRequests calls fn with the requests that were stored before a time and are not
// acknowledged, oldest first, and perhaps with some that are. It stops at the error of fn.
func (b *Bus) UndoneRequests(ctx context.Context, before time.Time, fn func(Delivery) error) error {
	consumer, err := b.js.Consumer(ctx, b.streamName(stream.Requests), stream.Dispatch)
	if err != nil {
		return fmt.Errorf("read undone requests: %w", err)
	}
	info := consumer.CachedInfo()
	for next := info.AckFloor.Stream + 1; ; {
		msg, err := b.requests.GetMsg(ctx, next, jetstream.WithGetMsgSubject(info.Config.FilterSubject))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && !msg.Time.Before(before) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read undone requests: %w", err)
		}
		d := Delivery{Data: msg.Data, Trace: msg.Header.Get(TraceHeader), Stored: msg.Time}
		d.Source, d.ID = b.parseSubject(msg.Subject)
		if err := fn(d); err != nil {
			return err
		}
		next = msg.Sequence + 1
	}
}

// Put writes the next record if revision is the newest, and returns its revision.
// The error is ErrConflict if there is a newer one, and ErrTooLarge if it was not sent
// because NATS would refuse it. After any other error the record
// may be stored or not, and must be read again.
func (l Ledger) Put(ctx context.Context, id uuid.UUID, data []byte, revision uint64) (uint64, error) {
	before := l.bus.loss.Before()
	stored, err := l.bus.write(ctx, l.bus.ledgerSubject(id), data, revision)
	if stream.IsConflict(err) {
		return 0, ErrConflict
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return 0, ErrTooLarge
	}
	if err != nil {
		l.bus.server.Inspect() // a record that the server could not write can be read all the same
		return 0, fmt.Errorf("write ledger %s: %w", id, stream.WithHint(err))
	}
	if !l.bus.loss.Written(before, stored) {
		return 0, fmt.Errorf("write ledger %s: %w: %w", id, ErrNotDurable, ErrLost)
	}
	if err := l.bus.server.Flush(ctx, stream.Ledger); err != nil {
		return 0, fmt.Errorf("write ledger %s: %w: %w", id, ErrNotDurable, err)
	}
	return stored, nil
}

// Now reads the server's clock, which Entry.Stored is based on: the age of a record
// must not depend on the clock of this machine.
func (l Ledger) Now(ctx context.Context) (time.Time, error) {
	info, err := l.bus.ledger.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read ledger time: %w", err)
	}
	return info.TimeStamp, nil
}

// Each calls fn with the newest record of every request, in the order of their last
// change, and stops at its error. It reads the whole ledger.
func (l Ledger) Each(ctx context.Context, fn func(id uuid.UUID, e Entry) error) error {
	_, _, err := l.Since(ctx, Position{}, fn)
	return err
}

// Position is how far the ledger was read; the zero Position is its beginning.
type Position struct {
	// Revision is that of the last record.
	Revision uint64
	// Made is when the stream was made.
	Made time.Time
}

// Since calls fn with the records after a position in their order, and with the newest
// record of every request if it is the beginning. It stops at the error of fn, and returns
// the position to go on after, also with an error. If the ledger was made again since, it
// reads nothing and reports that: what was known before counts no more.
func (l Ledger) Since(ctx context.Context, after Position, fn func(id uuid.UUID, e Entry) error) (last Position, anew bool, err error) {
	info, err := l.bus.ledger.Info(ctx)
	if err != nil {
		return after, false, fmt.Errorf("read ledger: %w", err)
	}
	last = Position{after.Revision, info.Created}
	if after.Revision > info.State.LastSeq || after.Revision > 0 && !after.Made.Equal(info.Created) {
		return Position{}, true, nil
	}
	// Not an ordered consumer: after an interruption it would continue with every
	// record instead of the newest ones.
	config := jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: l.bus.config.Prefix + ".ledger.*",
		AckPolicy:     jetstream.AckNonePolicy,
		MemoryStorage: true, InactiveThreshold: time.Minute,
	}
	if after.Revision > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, after.Revision+1
	}
	creating, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	records, err := l.bus.ledger.CreateConsumer(creating, config)
	if err != nil {
		return after, false, fmt.Errorf("read ledger: %w", err)
	}
	last.Revision, err = l.read(ctx, records, after.Revision, fn)
	return last, false, err
}

// read calls fn with the records that a consumer has now.
func (l Ledger) read(ctx context.Context, records jetstream.Consumer, after uint64, fn func(id uuid.UUID, e Entry) error) (last uint64, err error) {
	last = after
	stored := stream.Stored{Consumer: records, What: "ledger", Batch: eachBatch, Wait: jetstream.FetchContext(ctx)}
	err = stored.Each(ctx, func(msg jetstream.Msg) error {
		revision, err := eachMessage(msg, fn)
		if err == nil {
			last = max(last, revision)
		}
		return err
	})
	return last, err
}

// createTimeout is how long the server may take to find the newest record of each of some
// million requests.
const createTimeout = time.Minute

// eachBatch is the number of records of one pull request.
const eachBatch = 1000

func eachMessage(msg jetstream.Msg, fn func(uuid.UUID, Entry) error) (revision uint64, err error) {
	meta, err := msg.Metadata()
	if err != nil {
		return 0, fmt.Errorf("read ledger: %w", err)
	}
	id, err := uuid.Parse(msg.Subject()[strings.LastIndexByte(msg.Subject(), '.')+1:])
	if err != nil {
		return meta.Sequence.Stream, nil // not a record of callbridge
	}
	return meta.Sequence.Stream, fn(id, Entry{Data: msg.Data(), Revision: meta.Sequence.Stream, Stored: meta.Timestamp})
}
