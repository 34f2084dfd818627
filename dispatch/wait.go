package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/dispatch/gate"
	"callbridge/dispatch/record"
	"callbridge/dispatch/waiting"
	"callbridge/event"
	"callbridge/internal/wait"
	"callbridge/policy"
	"callbridge/untrusted"
)

// askAgain is how often a request is judged again whose wait has no end of its own, or
// that is stopped, if nothing has changed before.
const askAgain = 10 * time.Minute

// postpone has a request wait that must not be dialled now: by v, a verdict with the action
// policy.Wait over e, its newest entry. The ledger keeps the wait, its result is deferred,
// and its message is acknowledged. What could not be read is asked again at once.
func (d *Dispatcher) postpone(ctx context.Context, r request, e entry, v policy.Verdict) (transition, error) {
	if v.Reason == policy.Unread {
		d.logger(r).Warn("call.held", "error", v.Detail)
		return retryAfter(busRetryDelay), nil
	}
	next := record.Record{
		State: record.Waiting, Attempt: e.Attempt, Refused: e.Refused, Unsent: e.unsent(), Acked: true, Gates: gate.Findings(v),
		Reason: event.Reason(v.Reason), Detail: untrusted.Cut(v.Detail, maxDetail), Until: v.Until.UTC(),
	}
	if !e.SameWait(next) {
		now, err := d.clock.Now(ctx)
		if err != nil {
			return transition{}, err
		}
		next.Due = d.due(r, e, now, next.Until)
		written, err := d.compareAndSet(ctx, r, next, e)
		if err != nil {
			return transition{}, err
		}
		point("waiting")
		e = written
	}
	return d.leave(ctx, r, e)
}

// due is when a request that waits until an instant is taken up. It is not later than a
// call makes sense: before the request expires, and before NATS forgets it.
func (d *Dispatcher) due(r request, e entry, now, until time.Time) time.Time {
	expires, mayCall := d.gate.Times(r.call(e))
	latest := r.stored.Add(d.patience())
	if !expires.IsZero() && expires.Before(latest) {
		latest = expires
	}
	due := waiting.Due(r.ID, now, until, latest)
	if !until.IsZero() && until.Before(due) && !mayCall(due) {
		return until // the hours have ended by then
	}
	return due
}

// leave ends the work on a request that waits: it publishes that, unless that was done, and
// has the request taken up when it is due.
func (d *Dispatcher) leave(ctx context.Context, r request, e entry) (transition, error) {
	result := resultOf(r, e)
	result.Outcome, result.Until = event.Deferred, e.Until
	if err := d.publish(ctx, r, result, d.bus.PublishDeferred); err != nil {
		return transition{}, err
	}
	point("deferred")
	now, err := d.clock.Now(ctx)
	if err != nil {
		return transition{}, err
	}
	d.remind(r.ID, e.Record, now, d.waiting.Add)
	// A stop that has ended since it was read does not wake the request any more.
	if e.Reason == event.ReasonStopped && !d.isStopped(r) {
		d.waiting.Add(r.ID, busRetryDelay, true)
	}
	return done(), nil
}

// remind has this process take up a request that waits, by one of the methods of Set.
func (d *Dispatcher) remind(id uuid.UUID, r record.Record, now time.Time, add func(uuid.UUID, time.Duration, bool)) {
	stopped := r.Reason == event.ReasonStopped
	after := max(r.Due.Sub(now), busRetryDelay)
	if stopped || r.Until.IsZero() {
		again := waiting.Due(id, now, now.Add(askAgain), now.Add(2*askAgain)).Sub(now)
		if after = min(after, again); !now.Before(r.Due) {
			after = again // its stop lasts
		}
	}
	add(id, after, stopped)
}

// await is the step of a request that waits. Until its wait is over, or the stop that it
// waits for, it is left alone; then it is dialled like one that is free, and judged before.
func (d *Dispatcher) await(ctx context.Context, r request, e entry) (transition, error) {
	now, err := d.clock.Now(ctx)
	if err != nil {
		return transition{}, err
	}
	waits := now.Before(e.Due) && now.Before(e.Until)
	if e.Reason == event.ReasonStopped {
		waits = d.isStopped(r) && now.Before(e.Due) && (e.Until.IsZero() || now.Before(e.Until))
	}
	if waits && !r.gone {
		return d.leave(ctx, r, e)
	}
	return d.dial(ctx, r, e)
}

// isStopped reports whether a stop covers a request, by what this process knows of stops.
func (d *Dispatcher) isStopped(r request) bool {
	_, is := d.bus.KnownStop(d.gate.Scope(r.call(entry{})))
	return is
}

// wake takes up requests that are due until ctx ends, as many at the same time as calls may
// be placed.
func (d *Dispatcher) wake(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	free := make(chan struct{}, d.config.Concurrency)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		id, err := d.waiting.Next(ctx)
		if err != nil {
			return
		}
		all.Go(func() {
			defer func() { <-free }()
			d.takeTurn(ctx, id)
		})
	}
}

// takeTurn takes up one request, and again later if it is not done: nothing delivers it.
func (d *Dispatcher) takeTurn(ctx context.Context, id uuid.UUID) {
	result, err := d.takeUp(ctx, id)
	switch {
	case errors.Is(err, errUnfit), errors.Is(err, errForgotten), errors.Is(err, errTaken), err == nil && result.Ack:
		return
	case err != nil:
		result = bus.RedeliverAfter(busRetryDelay)
		d.log.Warn("dispatch.wait_failed", "request_id", id, "error", err)
	}
	d.waiting.Add(id, result.Redeliver, false)
	// Many that cannot be read must not keep this process busy.
	_ = wait.For(ctx, min(result.Redeliver, busRetryDelay))
}
