package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"callbridge/bus"
	"callbridge/span"
)

// busTrouble is the pause after NATS did not do what it was asked.
const busTrouble = time.Second

// worker takes requests from the bus. While dispatch is held, they are better
// left to a process that may dial.
func (d *Dispatcher) worker() bus.Worker {
	return bus.Worker{
		Paused: d.hold.held, WaitResume: d.waitHeld, Handle: d.handle, Alive: d.alive, Log: d.log,
		Acked: func() { point("acked") },
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
func (d *Dispatcher) handle(ctx context.Context, delivery bus.Delivery) bus.Disposition {
	d.metrics.inFlight.Inc()
	defer d.metrics.inFlight.Dec()
	point("fetched")
	r := later(busTrouble)
	if job, err := read(delivery); err != nil {
		r = d.refuse(job, err)
	} else if _, twice := d.running.LoadOrStore(job.request.ID, true); !twice {
		// That this is the first delivery saves a read of the ledger.
		r = d.advance(ctx, job, delivery.First)
		d.running.Delete(job.request.ID)
	}
	if r.done {
		point("acking")
	}
	return bus.Disposition{Ack: r.done, Redeliver: r.after}
}

// advance takes a request from the state in the ledger towards its end.
func (d *Dispatcher) advance(ctx context.Context, j job, first bool) (r rest) {
	working := d.config.Tracer.Start(string(j.trace), span.Consumer, "process request")
	if working.Recorded() {
		defer func() { working.End(append(j.attributes(), slog.Bool("callbridge.done", r.done))...) }()
	}
	j.trace = working.Parent()
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
		d.logOf(j).Warn("dispatch.bus_trouble", "error", err)
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

// waitHeld waits until claiming is allowed, and shows that it lives.
func (d *Dispatcher) waitHeld(ctx context.Context) error {
	for {
		slice, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := d.hold.wait(slice)
		cancel()
		d.alive()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
