package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/event"
)

var (
	// ErrExists: the server holds a message under that identity already. It
	// has been seen before, and nothing was stored.
	ErrExists = errors.New("seen before")
	// ErrTooLarge: the message is larger than the server takes.
	ErrTooLarge = errors.New("larger than NATS takes (max_payload)")
)

// publishTimeout is how long one publish may wait for its acknowledgement:
// below the five seconds in which HubSpot and Shopify want their answer.
const publishTimeout = 4 * time.Second

// TraceHeader carries the W3C trace context through NATS.
const TraceHeader = "traceparent"

// message is one thing to keep that was never kept before.
type message struct {
	// stream is which one takes it: "requests" or "results".
	stream          string
	subject, filter string
	data            []byte
	trace           string
}

// request makes the message of a call to make.
func (b *Bus) request(on *page, r *event.Request, trace string) (message, error) {
	data, err := event.Marshal(r)
	if err != nil {
		return message{}, err
	}
	return message{"requests", b.RequestSubject(r.Event.Source, r.ID), b.requestFilter(r.Event.Source, r.ID), data, trace}, nil
}

// pending makes the message of an event that waits for its look-up.
func (b *Bus) pending(on *page, p *event.Pending, trace string) (message, error) {
	data, err := event.Marshal(p)
	if err != nil {
		return message{}, err
	}
	subject := b.LookupSubject(p.Event.Source, p.Event.ID)
	return message{"requests", subject, subject, data, trace}, nil
}

// PublishResult publishes the result of a request, once: after ErrExists it stands
// already, after any other error it is not known to.
func (b *Bus) PublishResult(ctx context.Context, r event.Result) error {
	on := newPage()
	defer on.free()
	m, err := b.result(on, &r)
	if err != nil {
		return err
	}
	return b.publish(ctx, m)[0]
}

// result makes the message of an outcome.
func (b *Bus) result(on *page, r *event.Result) (message, error) {
	data, err := event.Marshal(r)
	if err != nil {
		return message{}, err
	}
	subject := b.ResultSubject(r.Outcome, r.Event.Source, r.RequestID)
	return message{"results", subject, subject, data, r.TraceParent}, nil
}

// HasResult reports whether the result of that outcome stands already. PublishResult
// would refuse it; but a refused publish still reaches those who subscribe
// without JetStream, and they would take it for a second result. A wrong no is
// harmless.
func (b *Bus) HasResult(ctx context.Context, r event.Result) bool {
	return b.stands(ctx, b.ResultSubject(r.Outcome, r.Event.Source, r.RequestID))
}

// HasAnyResult reports whether the request has any outcome. A wrong no is
// harmless: PublishResult and the ledger know better.
func (b *Bus) HasAnyResult(ctx context.Context, source string, requestID uuid.UUID) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return b.stands(ctx, b.ResultSubject("*", source, requestID))
}

// stands reports whether there is a result. It may be on its way to the disk only
// now, so that a yes waits for that.
func (b *Bus) stands(ctx context.Context, subject string) bool {
	_, err := b.results.GetLastMsgForSubject(ctx, subject)
	return err == nil && b.durable.flush(ctx, "results") == nil
}

// publish stores messages and waits until JetStream has acknowledged them all.
// The answer has one entry a message: nil for stored, ErrExists for seen
// before, anything else for "not known to be stored": send it again and it is
// stored once. They are written together, so that a batch costs one round
// trip.
func (b *Bus) publish(ctx context.Context, messages ...message) []error {
	began := time.Now()
	written := b.large.acks.expect(len(messages))
	defer written.free()
	for i, m := range messages {
		if err := b.send(m, b.large.acks.reply(written, i)); err != nil {
			b.large.acks.settle(written.number(i), ack{err: err})
		}
	}
	errs := make([]error, len(messages))
	for i, a := range b.large.acks.wait(ctx, written, publishTimeout) {
		errs[i] = verdict(messages[i], a.err)
	}
	b.settle(ctx, began.Add(publishTimeout), messages, errs)
	return errs
}

// settle waits for the disk. What has been seen before may be on its way there
// only now.
func (b *Bus) settle(ctx context.Context, until time.Time, messages []message, errs []error) {
	if b.durable == nil {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	flushed := map[string]error{}
	for i, m := range messages {
		if errs[i] != nil && !errors.Is(errs[i], ErrExists) {
			continue
		}
		err, done := flushed[m.stream]
		if !done {
			err = b.durable.flush(ctx, m.stream)
			flushed[m.stream] = err
		}
		if err != nil {
			errs[i] = fmt.Errorf("publish to %s: %w", m.subject, err)
		}
	}
}

// unsent are messages to fill and to give back: nats.go has copied what is in
// them before it returns.
var unsent = sync.Pool{New: func() any {
	return &nats.Msg{Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {"0"}, jetstream.ExpectedLastSubjSeqSubjHeader: {""},
	}}
}}

// send writes one message, which is acknowledged at reply.
func (b *Bus) send(m message, reply string) error {
	if !b.connected() {
		return nats.ErrDisconnected
	}
	if int64(len(m.data)) > b.conn.MaxPayload()-4096 {
		return ErrTooLarge
	}
	msg := unsent.Get().(*nats.Msg)
	defer unsent.Put(msg)
	msg.Subject, msg.Reply, msg.Data = m.subject, reply, m.data
	msg.Header[jetstream.ExpectedLastSubjSeqSubjHeader][0] = m.filter
	if m.trace == "" {
		delete(msg.Header, TraceHeader)
	} else {
		msg.Header[TraceHeader] = append(msg.Header[TraceHeader][:0], m.trace)
	}
	return b.large.conn.PublishMsg(msg)
}

// verdict is what the acknowledgement of a message means.
func verdict(m message, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	case isConflict(err):
		return ErrExists
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("publish to %s: no acknowledgement: %w", m.subject, err)
	default:
		return fmt.Errorf("publish to %s: %w", m.subject, explain(err))
	}
}

// JetStream's errors at the limit of its store, of which nats.go has no names
// (nats-server, server/errors.json).
const (
	errCodeServerFull  jetstream.ErrorCode = 10023
	errCodeAccountFull jetstream.ErrorCode = 10002
)

// explain adds what an operator can do about it.
func explain(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == errCodeServerFull || api.ErrorCode == errCodeAccountFull) {
		return fmt.Errorf("JetStream is full: raise NATS_MAX_STORE, or the limits of the server at NATS_URL: %w", err)
	}
	return err
}

// isConflict reports whether the server refused a write because the subject
// has moved on (10071).
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
