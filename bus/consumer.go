package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

// Delivery is a message that NATS has delivered: a call to make, or an event to
// look up.
type Delivery struct {
	// Source and ID are taken from the subject.
	Source, ID string
	Data       []byte
	// Trace is the W3C trace context, or empty.
	Trace string
	// Stored is when the server stored the message, by its clock.
	Stored time.Time
	// First reports that this is the first delivery. It is a hint: the server's
	// count does not survive its crash.
	First bool
}

// Disposition says what to do with a delivered message: acknowledge it, or have
// it redelivered after a delay.
type Disposition struct {
	// Ack ends the message.
	Ack bool
	// Redeliver is the delay until the next delivery, at least minRedelivery. It is
	// not used with Ack.
	Redeliver time.Duration
}

// Acknowledge ends the message.
func Acknowledge() Disposition { return Disposition{Ack: true} }

// RedeliverAfter has the message delivered again after a delay.
func RedeliverAfter(delay time.Duration) Disposition { return Disposition{Redeliver: delay} }

const (
	// minRedelivery keeps a message that fails at once from a busy loop.
	minRedelivery = 10 * time.Millisecond
	// pullRetryDelay is the pause after a pull request has failed.
	pullRetryDelay = time.Second
	// heartbeat is how often the server confirms a pull request. After twice that
	// time without one the request is made again: a server that restarted, or a
	// new leader, does not know it.
	heartbeat = 2 * time.Second
	// pullTimeout is how long one pull request waits for messages, and how often
	// an idle consumer calls Worker.Alive.
	pullTimeout = 3 * heartbeat
)

// Worker handles the messages of a consumer. Its functions are called by several
// goroutines at the same time.
type Worker struct {
	// Paused, if set, reports that no message may be fetched now; another process
	// can take them. WaitResume then returns when messages may be fetched again.
	Paused     func() bool
	WaitResume func(context.Context) error
	// Handle processes one message.
	Handle func(context.Context, Delivery) Disposition
	// Acked, if set, is called after an acknowledgement was sent. It may get lost,
	// and the message is then delivered again.
	Acked func()
	// Alive is called at least every pullTimeout.
	Alive func()
	Log   *slog.Logger
}

// ConsumeRequests has calls handled by up to workers goroutines until ctx ends,
// and returns when the messages in progress are handled. A consumer that the
// server has lost is opened again.
func (b *Bus) ConsumeRequests(ctx context.Context, workers int, w Worker) {
	b.consume(ctx, stream.Dispatch, workers, w)
}

// ConsumeLookups is ConsumeRequests for events that wait for their lookup.
func (b *Bus) ConsumeLookups(ctx context.Context, workers int, w Worker) {
	b.consume(ctx, stream.Lookup, workers, w)
}

func (b *Bus) consume(ctx context.Context, consumer string, workers int, w Worker) {
	p := &puller{bus: b, name: consumer, worker: w, lock: make(chan struct{}, 1)}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for msg := p.next(ctx); msg != nil; msg = p.next(ctx) {
				b.handle(ctx, msg, w)
			}
		})
	}
	all.Go(func() { p.stop(ctx) })
	all.Wait()
}

func (b *Bus) handle(ctx context.Context, msg jetstream.Msg, w Worker) {
	stop := keepAlive(msg, b.config.AckWait/3, w.Alive)
	defer stop()
	result := w.Handle(ctx, b.delivery(msg))
	if !result.Ack {
		_ = msg.NakWithDelay(max(result.Redeliver, minRedelivery))
		return
	}
	_ = msg.Ack()
	if w.Acked != nil {
		w.Acked()
	}
}

func (b *Bus) delivery(msg jetstream.Msg) Delivery {
	d := Delivery{Data: msg.Data(), Trace: msg.Headers().Get(TraceHeader)}
	d.Source, d.ID = b.parseSubject(msg.Subject())
	if meta, err := msg.Metadata(); err == nil {
		d.Stored, d.First = meta.Timestamp, meta.NumDelivered == 1
	}
	return d
}

// parseSubject reads source and id from <prefix>.<request or lookup>.<source>.<id>[.ready].
func (b *Bus) parseSubject(subject string) (source, id string) {
	token := strings.Split(strings.TrimPrefix(subject, b.config.Prefix+"."), ".")
	return token[1], token[2]
}

// keepAlive extends the message's AckWait until stop is called, so that it is not
// delivered to another process. A timer costs less than a goroutine: most messages
// are handled before it first fires.
func keepAlive(msg jetstream.Msg, every time.Duration, alive func()) (stop func()) {
	var mu sync.Mutex
	var next *time.Timer // nil: stopped
	mu.Lock()
	defer mu.Unlock()
	next = time.AfterFunc(every, func() {
		alive()
		_ = msg.InProgress()
		mu.Lock()
		defer mu.Unlock()
		if next != nil {
			next.Reset(every)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		next.Stop()
		next = nil
	}
}

// puller fetches the messages of one consumer for all its workers with one pull
// request at a time, which asks for as many messages as workers are idle. More
// would wait here while their AckWait is running; and a pull request for each
// worker would make the server go through all of them for each message.
type puller struct {
	bus    *Bus
	name   string
	worker Worker
	idle   atomic.Int32
	// lock is held by the worker that fetches, and guards the fields below. It is
	// a channel so that waiting for it ends with the context.
	lock     chan struct{}
	consumer jetstream.Consumer
	batch    jetstream.MessageBatch
	// cancel withdraws the pull request of batch.
	cancel context.CancelFunc
}

// next waits for a message. It returns nil when ctx has ended.
func (p *puller) next(ctx context.Context) jetstream.Msg {
	p.idle.Add(1)
	defer p.idle.Add(-1)
	select {
	case p.lock <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-p.lock }()
	for ctx.Err() == nil {
		msg, err := p.fetch(ctx)
		switch {
		case msg != nil && ctx.Err() == nil:
			return msg
		case msg != nil:
			_ = msg.Nak()
		case err != nil && ctx.Err() == nil:
			if p.bus.conn.IsConnected() { // else the loss of the connection was logged
				p.worker.Log.Warn("nats.pull_failed", "consumer", p.name, "error", err)
			}
			_ = wait.For(ctx, pullRetryDelay)
		}
	}
	return nil
}

// stop returns the messages that were fetched and not handled when ctx ends.
func (p *puller) stop(ctx context.Context) {
	<-ctx.Done()
	p.lock <- struct{}{}
	defer func() { <-p.lock }()
	p.returnBatch()
}

// fetch returns the next message of the batch, after requesting a new batch if
// there is none. It returns neither a message nor an error if there is no work, or
// after a pause.
func (p *puller) fetch(ctx context.Context) (jetstream.Msg, error) {
	p.worker.Alive()
	if p.worker.Paused != nil && p.worker.Paused() {
		p.returnBatch()
		return nil, p.worker.WaitResume(ctx)
	}
	if p.batch == nil {
		if err := p.request(ctx); err != nil {
			p.consumer = nil
			return nil, err
		}
	}
	if msg, more := <-p.batch.Messages(); more {
		return msg, nil
	}
	err := p.batch.Error()
	p.endBatch()
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nil // no work
	}
	if errors.Is(err, jetstream.ErrNoHeartbeat) {
		p.bus.loss.Doubt()
		return nil, nil // the server does not know the pull request any more
	}
	if err != nil {
		p.consumer = nil
		p.bus.loss.Doubt()
	}
	return nil, err
}

// request asks for one message for each idle worker.
func (p *puller) request(ctx context.Context) (err error) {
	if p.consumer == nil {
		p.bus.loss.Doubt()
		if p.consumer, err = p.bus.js.Consumer(ctx, p.bus.streamName(stream.Requests), p.name); err != nil {
			return fmt.Errorf("read consumer %s: %w", p.name, err)
		}
	}
	ctx, p.cancel = context.WithTimeout(ctx, pullTimeout)
	p.batch, err = p.consumer.Fetch(int(p.idle.Load()), jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(heartbeat))
	if err != nil {
		p.endBatch()
		return fmt.Errorf("pull from consumer %s: %w", p.name, err)
	}
	return nil
}

// returnBatch withdraws the pull request and has its remaining messages delivered
// to another process at once.
func (p *puller) returnBatch() {
	if p.batch == nil {
		return
	}
	rest := p.batch
	p.endBatch()
	for msg := range rest.Messages() {
		_ = msg.Nak()
	}
}

// endBatch withdraws the pull request. The next fetch makes another one.
func (p *puller) endBatch() {
	p.cancel()
	p.batch = nil
}
