package bus

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trouble is the pause after NATS did not do what it was asked.
const trouble = time.Second

// Delivery is a message in hand: a call to make, or an event to look up.
type Delivery struct {
	// Source and ID are what its subject says.
	Source, ID string
	Data       []byte
	Trace      string
	// Stored is when the server took it.
	Stored time.Time
	// First: the server believes that nobody had it before. A hint: the
	// count does not survive a crash.
	First bool
}

// Disposition says what to do with a delivered message: acknowledge it, or have
// it redelivered after a delay. The zero Disposition redelivers it as soon as
// possible.
type Disposition struct {
	// Ack: the message is done with.
	Ack bool
	// Redeliver is the delay until the message is delivered again. At least
	// minRedelivery is waited.
	Redeliver time.Duration
}

// minRedelivery keeps a message that fails at once from being redelivered in a
// busy loop.
const minRedelivery = 10 * time.Millisecond

// Acknowledge says that the message is done with.
func Acknowledge() Disposition { return Disposition{Ack: true} }

// RedeliverAfter has the message delivered again after a delay.
func RedeliverAfter(delay time.Duration) Disposition { return Disposition{Redeliver: delay} }

// Worker takes one message at a time. Its functions may be called by several at
// the same time.
type Worker struct {
	// Paused, if set, reports that no message may be fetched now: another process
	// can then take it. WaitResume returns when messages may be fetched again.
	Paused     func() bool
	WaitResume func(context.Context) error
	// Handle works on one message and says what to do with it.
	Handle func(context.Context, Delivery) Disposition
	// Acked, if set, is called after a message that is done with was
	// acknowledged. An acknowledgement that gets lost brings it back.
	Acked func()
	// Alive is called at least every few seconds while there is life.
	Alive func()
	Log   *slog.Logger
}

// ConsumeRequests gives calls to make to so many workers at the same time until ctx
// ends. The messages in hand are finished then; a consumer that is lost with its
// NATS is opened again.
func (b *Bus) ConsumeRequests(ctx context.Context, workers int, w Worker) {
	b.work(ctx, dispatchConsumer, workers, w)
}

// ConsumeLookups gives events that wait for their look-up to the workers, as ConsumeRequests
// does.
func (b *Bus) ConsumeLookups(ctx context.Context, workers int, w Worker) {
	b.work(ctx, lookupConsumer, workers, w)
}

func (b *Bus) work(ctx context.Context, consumer string, workers int, w Worker) {
	f := newFeed(b, consumer, w)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for msg := f.next(ctx); msg != nil; msg = f.next(ctx) {
				b.handle(ctx, msg, w)
			}
		})
	}
	all.Go(func() { f.end(ctx) })
	all.Wait()
}

// handle acknowledges only what is done.
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
	d.Source, d.ID = b.named(msg.Subject())
	if meta, err := msg.Metadata(); err == nil {
		d.Stored, d.First = meta.Timestamp, meta.NumDelivered == 1
	}
	return d
}

// named reads source and id out of <prefix>.<kind>.<source>.<id>[.ready].
func (b *Bus) named(subject string) (source, id string) {
	token := strings.Split(strings.TrimPrefix(subject, b.config.Prefix+"."), ".")
	return token[1], token[2]
}

// keepAlive tells the server that the message is being worked on, so that no
// other process gets it meanwhile. Most messages are done before the first beat,
// which then costs a timer.
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
