package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"callbridge/bus"
	"callbridge/dispatch/record"
	"callbridge/span"
)

// step does what the state of a request's newest ledger entry asks for. It
// changes the state only by a compare-and-set over that entry. With an error
// nothing was decided: NATS failed, or another process has changed the state
// (bus.ErrConflict).
type step func(*Dispatcher, context.Context, request, entry) (transition, error)

// steps is the state machine of a request: the step of each ledger state. A step
// that advances is followed by the step of the new state. A new
// state needs a row here and one in package record. No other step changes.
var steps = map[record.State]step{
	record.None:    (*Dispatcher).dial,
	record.Free:    (*Dispatcher).dial,
	record.Claimed: (*Dispatcher).expireClaim,
	record.Unknown: (*Dispatcher).reconcile,
	record.Waiting: (*Dispatcher).await,
	// The call may have been sent.
	record.Unreadable: (*Dispatcher).doubt,
	record.Accepted:   (*Dispatcher).report,
	record.Rejected:   (*Dispatcher).report,
	record.Skipped:    (*Dispatcher).report,
	record.Parked:     (*Dispatcher).report,
	record.Failed:     (*Dispatcher).report,
}

// transition is the result of a step: the entry to continue with, or the
// disposition of the delivered message. It is made by advance, done or
// retryAfter.
type transition struct {
	next        *entry
	disposition bus.Disposition
}

// advance continues at once with the step of e's state.
func advance(e entry) transition { return transition{next: &e} }

// done acknowledges the message: its result is published.
func done() transition { return transition{disposition: bus.Acknowledge()} }

// retryAfter has the message redelivered after a delay.
func retryAfter(delay time.Duration) transition {
	return transition{disposition: bus.RedeliverAfter(delay)}
}

// process takes the steps of a request until one of them ends with a
// disposition of the message. On a first delivery the ledger is not read. If there is
// an entry after all, the claim fails with ErrConflict and the entry is read then.
func (d *Dispatcher) process(ctx context.Context, r request, first bool) (result bus.Disposition) {
	s := d.config.Tracer.Start(string(r.trace), span.Consumer, "process request")
	if s.Recorded() {
		defer func() { s.End(append(r.attributes(), slog.Bool("callbridge.done", result.Ack))...) }()
	}
	r.trace = s.Parent()
	t, err := advance(entry{}), error(nil)
	if !first {
		t, err = d.reload(ctx, r)
	}
	for err == nil && t.next != nil {
		t, err = d.takeStep(ctx, r, *t.next)
		if errors.Is(err, bus.ErrConflict) {
			t, err = d.reload(ctx, r)
		}
	}
	if err != nil {
		return d.busFailed(r, err)
	}
	return t.disposition
}

func (d *Dispatcher) takeStep(ctx context.Context, r request, e entry) (transition, error) {
	return steps[e.State](d, ctx, r, e)
}

// reload continues with the newest entry of the ledger.
func (d *Dispatcher) reload(ctx context.Context, r request) (transition, error) {
	e, err := d.load(ctx, r.ID)
	if err == nil && e.Source != "" && e.Source != r.Event.Source {
		// A service may request calls of its own source only, but choose any id.
		return transition{disposition: d.reject(r, errors.New("the id is that of a request of the source "+e.Source))}, nil
	}
	return advance(e), err
}

// busRetryDelay is the delay after an operation on NATS failed.
const busRetryDelay = time.Second

// busFailed has the message redelivered, because nothing was decided.
func (d *Dispatcher) busFailed(r request, err error) bus.Disposition {
	if !errors.Is(err, context.Canceled) {
		d.logger(r).Warn("dispatch.bus_trouble", "error", err)
	}
	return bus.RedeliverAfter(busRetryDelay)
}

// worker receives requests from the bus. While dialling is paused it receives
// none, so that another process can take them.
func (d *Dispatcher) worker() bus.Worker {
	return bus.Worker{
		Paused: d.paused, WaitResume: d.waitResume, Handle: d.handle, Alive: d.markAlive, Log: d.log,
		Acked: func() { point("acked") },
	}
}

// handle processes one delivered message.
func (d *Dispatcher) handle(ctx context.Context, delivery bus.Delivery) bus.Disposition {
	d.metrics.InFlight.Inc()
	defer d.metrics.InFlight.Dec()
	point("fetched")
	result := d.receive(ctx, delivery)
	if result.Ack {
		point("acking")
	}
	return result
}

func (d *Dispatcher) receive(ctx context.Context, delivery bus.Delivery) bus.Disposition {
	r, err := parseRequest(delivery)
	if err != nil {
		return d.reject(r, err)
	}
	if _, taken := d.inProgress.LoadOrStore(r.ID, true); taken {
		return bus.RedeliverAfter(busRetryDelay)
	}
	defer d.inProgress.Delete(r.ID)
	return d.process(ctx, r, delivery.First)
}

// waitWhilePaused returns when dialling is allowed, or with ctx's error.
func (d *Dispatcher) waitWhilePaused(ctx context.Context) error {
	const heartbeatEvery = 5 * time.Second
	for {
		limited, cancel := context.WithTimeout(ctx, heartbeatEvery)
		err := d.breaker.Wait(limited)
		cancel()
		d.markAlive()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
