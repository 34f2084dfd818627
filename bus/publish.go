package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbridge/bus/stream"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrExists: the server already has a message with that identity, so nothing
	// was stored.
	ErrExists = errors.New("seen before")
	// ErrTooLarge: the message is larger than the server's max_payload. It was not
	// sent.
	ErrTooLarge = errors.New("larger than the limit of NATS (max_payload)")
)

const (
	// publishTimeout bounds the wait for an acknowledgement and for the flush to
	// disk. It is below the five seconds in which HubSpot and Shopify expect an
	// answer to their webhook.
	publishTimeout = 4 * time.Second
	// maxPending bounds the messages of webhooks and results that wait for their
	// acknowledgement in this process. It is below the 10,000 that nats-server
	// queues for one stream before it refuses more (max_buffered_msgs).
	maxPending = 8192
	// maxHeaderBytes is reserved for the headers within the server's max_payload.
	maxHeaderBytes = 4096
)

// TraceHeader is the message header with the W3C trace context.
const TraceHeader = "traceparent"

// message is stored only if the last message that filter matches has the sequence
// revision: by default, if its stream has none yet.
type message struct {
	// stream is stream.Requests or stream.Results.
	stream          string
	subject, filter string
	data            []byte
	trace           string
	revision        uint64
}

// publisher stores batches of messages with nats.go's asynchronous publish. What
// it relies on was read in the source of nats.go v1.55.0 (jetstream/publish.go):
//
//   - A publish is repeated twice where no stream answers, unless
//     WithRetryAttempts(0) is given; it is never repeated after a timeout.
//   - Beyond WithPublishAsyncMaxPending unacknowledged messages, a publish blocks
//     for WithStallWait and then fails with ErrTooManyStalledMsgs, without having
//     sent anything.
//   - A disconnect ends all pending publishes with nats.ErrDisconnected.
//   - The reply subject of a publish is a prefix, chosen at random for each
//     JetStream context, and 6 random characters that differ from those of all
//     pending publishes. They are free for reuse after the acknowledgement, a
//     disconnect, or the time set by WithPublishAsyncTimeout (unset here).
//
// The last point would allow a late acknowledgement to be taken for that of
// another message, so a JetStream context is used only until an acknowledgement
// is missed. The next one has another reply prefix.
type publisher struct {
	conn       *nats.Conn
	maxPending int

	mu sync.Mutex
	js jetstream.JetStream
}

func newPublisher(conn *nats.Conn, maxPending int) (*publisher, error) {
	p := &publisher{conn: conn, maxPending: maxPending}
	js, err := p.newContext()
	p.js = js
	return p, err
}

func (p *publisher) newContext() (jetstream.JetStream, error) {
	return jetstream.New(p.conn, jetstream.WithPublishAsyncMaxPending(p.maxPending))
}

func (p *publisher) current() jetstream.JetStream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.js
}

// replace gives later publishes a new reply prefix. Publishes that wait for an
// acknowledgement at the old one can still get it.
func (p *publisher) replace(old jetstream.JetStream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.js != old {
		return // another caller has replaced it
	}
	next, err := p.newContext()
	if err != nil {
		return // only options can be invalid, and newPublisher has used the same
	}
	p.js = next
	time.AfterFunc(2*publishTimeout, old.CleanupPublisher)
}

// publish sends all messages and then waits for their acknowledgements, so that a
// batch costs one round trip. The result has one entry per message: nil if it
// is stored, or why it is not stored or not known to be. ctx must have a deadline.
func (p *publisher) publish(ctx context.Context, messages []message) []error {
	js := p.current()
	errs, futures := make([]error, len(messages)), make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		futures[i], errs[i] = p.send(ctx, js, m)
	}
	missed := false
	for i, future := range futures {
		if errs[i] != nil {
			continue
		}
		select {
		case <-future.Ok():
		case errs[i] = <-future.Err():
			missed = missed || errors.Is(errs[i], nats.ErrDisconnected)
		case <-ctx.Done():
			errs[i], missed = ctx.Err(), true
		}
	}
	if missed {
		p.replace(js)
	}
	return errs
}

// send publishes one message, and never a second time: a message that is repeated
// after its sender was told of a failure would be stored unnoticed.
func (p *publisher) send(ctx context.Context, js jetstream.JetStream, m message) (jetstream.PubAckFuture, error) {
	if !p.conn.IsConnected() {
		return nil, nats.ErrDisconnected
	}
	if int64(len(m.data)) > p.conn.MaxPayload()-maxHeaderBytes {
		return nil, ErrTooLarge
	}
	deadline, _ := ctx.Deadline()
	stall := time.Until(deadline)
	if stall <= 0 {
		return nil, context.DeadlineExceeded
	}
	msg := &nats.Msg{Subject: m.subject, Data: m.data, Header: nats.Header{}}
	if m.trace != "" {
		msg.Header.Set(TraceHeader, m.trace)
	}
	return js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(stall),
		jetstream.WithExpectLastSequenceForSubject(m.revision, m.filter))
}

// publish stores messages and returns when they are acknowledged and, with
// Embedded.SyncAlways, flushed to the disk. The result has one entry per message: nil
// for stored, ErrExists for already stored, and any other error for "not known to
// be stored"; publishing the message again then stores it at most once.
func (b *Bus) publish(ctx context.Context, messages ...message) []error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	errs := b.publisher.publish(ctx, messages)
	for i, err := range errs {
		errs[i] = publishError(messages[i].subject, err)
	}
	b.waitForFlush(ctx, messages, errs)
	return errs
}

// waitForFlush replaces the result of each message that may not be on the disk by
// an error. It also waits for messages that already existed: their first writer
// may be waiting for the same flush.
func (b *Bus) waitForFlush(ctx context.Context, messages []message, errs []error) {
	if b.server == nil {
		return
	}
	flushed := map[string]error{}
	for i, m := range messages {
		if errs[i] != nil && !errors.Is(errs[i], ErrExists) {
			continue
		}
		err, done := flushed[m.stream]
		if !done {
			err = b.server.Flush(ctx, m.stream)
			flushed[m.stream] = err
		}
		if err != nil {
			errs[i] = fmt.Errorf("publish to %s: %w", m.subject, err)
		}
	}
}

// write stores one message if revision is still the last sequence of its subject,
// and returns its own sequence. It waits for the acknowledgement until ctx ends, at
// most publishTimeout, and does not repeat the message.
//
// nats.go v1.55.0 gives each such request a reply subject with 8 random
// characters, and drops an answer for which no request waits any more. A request
// whose connection breaks fails only when its time is over.
func (b *Bus) write(ctx context.Context, subject string, data []byte, revision uint64, options ...jetstream.PublishOpt) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	options = append(options, jetstream.WithRetryAttempts(0), jetstream.WithExpectLastSequencePerSubject(revision))
	ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, options...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// publishError converts nats.go's error about a message to ours.
func publishError(subject string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	case stream.IsConflict(err):
		return ErrExists
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("publish to %s: no acknowledgement: %w", subject, err)
	default:
		return fmt.Errorf("publish to %s: %w", subject, stream.WithHint(err))
	}
}
