package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
)

const (
	// idle is how long a worker waits for a request before it shows that it
	// is alive.
	idle = 3 * bus.Heartbeat
	// busTrouble is the pause after NATS did not do what it was asked.
	busTrouble = time.Second
)

// work pulls requests until ctx ends; a consumer that is lost with its NATS is
// opened again.
func (d *Dispatcher) work(ctx context.Context) {
	for ctx.Err() == nil {
		messages, err := d.bus.Requests(ctx)
		if err == nil {
			err = d.pull(ctx, messages)
			d.giveBack(messages)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("dispatch.pull_failed", "error", err)
			pause(ctx, busTrouble)
		}
	}
}

// pull works through deliveries until ctx ends (nil) or the consumer is gone.
func (d *Dispatcher) pull(ctx context.Context, messages jetstream.MessagesContext) error {
	for {
		d.alive()
		// Held, a request is better left to a process that may dial.
		if d.hold.wait(ctx) != nil {
			return nil
		}
		wait, cancel := context.WithTimeout(ctx, idle)
		msg, err := messages.Next(jetstream.NextContext(wait))
		cancel()
		switch {
		case err == nil:
			d.handle(ctx, msg)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, jetstream.ErrNoHeartbeat):
			// Nothing to do, or NATS is away: the iterator goes on by itself.
		default:
			return err
		}
	}
}

// giveBack hands what was delivered and not begun to another process at once.
func (d *Dispatcher) giveBack(messages jetstream.MessagesContext) {
	messages.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), busTrouble)
	defer cancel()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			messages.Stop()
			return
		}
		_ = msg.Nak()
	}
}

// rest is where a request has come to: done with, or to be delivered again
// after a while.
type rest struct {
	done  bool
	after time.Duration
}

var done = rest{done: true}

func later(d time.Duration) rest { return rest{after: max(d, 10*time.Millisecond)} }

// handle takes one delivery as far as it can go now.
func (d *Dispatcher) handle(ctx context.Context, msg jetstream.Msg) {
	stop := d.keepAlive(msg, d.bus.AckWait()/3)
	defer stop()
	d.metrics.inFlight.Inc()
	defer d.metrics.inFlight.Dec()

	point("fetched")
	r := later(busTrouble)
	if job, err := read(msg.Subject(), msg.Headers(), msg.Data()); err != nil {
		r = d.refuse(job, err)
	} else if _, twice := d.running.LoadOrStore(job.request.ID, true); !twice {
		r = d.advance(ctx, job, isFirst(msg))
		d.running.Delete(job.request.ID)
	}
	if r.done {
		// An acknowledgement that gets lost brings the request back; the
		// ledger knows then that there is nothing left to do.
		point("acking")
		_ = msg.Ack()
		point("acked")
		return
	}
	_ = msg.NakWithDelay(r.after)
}

// keepAlive tells the server that the delivery is being worked on, so that no
// other process gets it meanwhile.
func (d *Dispatcher) keepAlive(msg jetstream.Msg, every time.Duration) (stop func()) {
	stopped := make(chan struct{})
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
				d.alive()
				_ = msg.InProgress()
			}
		}
	}()
	return func() { close(stopped) }
}

// isFirst is a hint that the ledger has no record yet; it saves a read. A
// delivery count does not survive a crash, so it is never more than that.
func isFirst(msg jetstream.Msg) bool {
	meta, err := msg.Metadata()
	return err == nil && meta.NumDelivered == 1
}

// advance takes a request from the state in the ledger towards its end.
func (d *Dispatcher) advance(ctx context.Context, j job, first bool) rest {
	e := entry{}
	if !first {
		var err error
		if e, err = d.read(ctx, j.request.ID); err != nil {
			return d.trouble(j, err)
		}
	}
	for {
		next, r, err := d.step(ctx, j, e)
		switch {
		case err == nil && next == nil:
			return r
		case err == nil:
			e = *next
		case isConflict(err):
			// Somebody was faster: look at what they wrote.
			if e, err = d.read(ctx, j.request.ID); err != nil {
				return d.trouble(j, err)
			}
		default:
			return d.trouble(j, err)
		}
	}
}

// step takes one step: to the next entry, or to where the request rests.
func (d *Dispatcher) step(ctx context.Context, j job, e entry) (*entry, rest, error) {
	switch e.State {
	case "", Free:
		return d.dial(ctx, j, e)
	case Claimed:
		return d.expire(ctx, j, e)
	case Unknown:
		return d.reconcile(ctx, j, e)
	}
	if err := d.report(ctx, j, e); err != nil {
		return nil, rest{}, err
	}
	point("reported")
	return nil, done, nil
}

// trouble is NATS not answering: nothing was decided, so the request comes
// back.
func (d *Dispatcher) trouble(j job, err error) rest {
	if !errors.Is(err, context.Canceled) {
		d.log.Warn("dispatch.bus_trouble", "request_id", j.request.ID, "error", err)
	}
	return later(busTrouble)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
