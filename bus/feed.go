package bus

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// heartbeat is how often the server shows that it still knows of a pull
// request. Twice that without one, and it is asked anew: a NATS that came back
// empty, or whose leader died, has forgotten it.
const heartbeat = 2 * time.Second

// idle is how long one pull request waits for messages, and how often a feed
// without any shows that it is alive.
const idle = 3 * heartbeat

// feed hands the messages of one consumer to workers. One of those that have
// nothing to do asks for all of them: the server never sends more than there are
// hands, since a message that waits in a client's buffer is one that nobody works
// on, and its AckWait is running. And it has one pull request to look at, where
// one for each worker would make it look at all of them for every message.
type feed struct {
	bus    *Bus
	name   string
	worker Worker
	// free is how many workers have nothing to do.
	free atomic.Int32
	// turn is held by the worker who waits for the next message. What follows is
	// its own.
	turn     chan struct{}
	consumer jetstream.Consumer
	batch    jetstream.MessageBatch
	// cancel takes the pull request of the batch back.
	cancel context.CancelFunc
}

func newFeed(b *Bus, consumer string, w Worker) *feed {
	return &feed{bus: b, name: consumer, worker: w, turn: make(chan struct{}, 1)}
}

// next waits for a message; it returns nil when ctx has ended.
func (f *feed) next(ctx context.Context) jetstream.Msg {
	f.free.Add(1)
	defer f.free.Add(-1)
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-f.turn }()
	for ctx.Err() == nil {
		msg, err := f.pull(ctx)
		switch {
		case msg != nil && ctx.Err() == nil:
			return msg
		case msg != nil:
			_ = msg.Nak()
		case err != nil && ctx.Err() == nil:
			f.worker.Log.Warn("nats.pull_failed", "consumer", f.name, "error", err)
			_ = sleep(ctx, trouble)
		}
	}
	return nil
}

// end gives back what was asked for and not begun when ctx ends.
func (f *feed) end(ctx context.Context) {
	<-ctx.Done()
	f.turn <- struct{}{} // whoever has it lets go now
	defer func() { <-f.turn }()
	f.giveBack()
}

// pull takes the next message of the batch, or asks for a batch. Nothing to do is
// neither a message nor an error, and so is work that is held.
func (f *feed) pull(ctx context.Context) (jetstream.Msg, error) {
	f.worker.Alive()
	if f.worker.Paused != nil && f.worker.Paused() {
		f.giveBack()
		return nil, f.worker.WaitResume(ctx)
	}
	if f.batch == nil {
		if err := f.ask(ctx); err != nil {
			f.consumer = nil
			return nil, err
		}
	}
	if msg, more := <-f.batch.Messages(); more {
		return msg, nil
	}
	err := f.batch.Error()
	f.drop()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrNoHeartbeat) {
		return nil, nil // NATS is away, or has forgotten what it was asked
	}
	if err != nil {
		f.consumer = nil
	}
	return nil, err
}

// ask requests a message for each worker that has nothing to do.
func (f *feed) ask(ctx context.Context) (err error) {
	if f.consumer == nil {
		if f.consumer, err = f.bus.js.Consumer(ctx, f.bus.stream("requests"), f.name); err != nil {
			return fmt.Errorf("read consumer %s: %w", f.name, err)
		}
	}
	ctx, f.cancel = context.WithTimeout(ctx, idle)
	f.batch, err = f.consumer.Fetch(int(f.free.Load()), jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(heartbeat))
	if err != nil {
		f.drop()
		return fmt.Errorf("pull from consumer %s: %w", f.name, err)
	}
	return nil
}

// giveBack takes the pull request back, and hands what was delivered and not
// begun to another process at once.
func (f *feed) giveBack() {
	if f.batch == nil {
		return
	}
	left := f.batch
	f.drop()
	for msg := range left.Messages() {
		_ = msg.Nak()
	}
}

// drop ends the batch and its pull request; the next pull asks anew.
func (f *feed) drop() {
	f.cancel()
	f.batch = nil
}
