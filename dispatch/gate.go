package dispatch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"callbridge/dispatch/gate"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/wait"
	"callbridge/policy"
	"callbridge/untrusted"
)

const (
	// stoppedPoll is how often a process in which everything is stopped looks whether
	// it still is.
	stoppedPoll = 100 * time.Millisecond
)

// call is a request as the gate judges it: for its next attempt.
func (r *request) call(e entry) gate.Call {
	return gate.Call{Request: &r.Request, To: r.callTo, Attempt: e.Attempt + 1, Unsent: e.unsent(), Stored: r.stored}
}

// judgeFirst judges a request by what this process knows, its own times and the stops: one
// that may not be called then takes no slot and no token.
func (d *Dispatcher) judgeFirst(ctx context.Context, r request, e entry) (t transition, closed bool, err error) {
	now, err := d.clock.Now(ctx)
	if err != nil {
		return transition{}, true, err
	}
	v, err := d.gate.JudgeFirst(ctx, r.call(e), now, e.State == record.None)
	if err != nil {
		return transition{}, true, err
	}
	return d.obey(ctx, r, e, v)
}

// judgeNow is the last question before a claim: may this person be called now? If the
// answer is no, closed is true. An error means no call.
func (d *Dispatcher) judgeNow(ctx context.Context, r request, e entry) (j gate.Judgement, t transition, closed bool, err error) {
	j, err = d.gate.Judge(ctx, r.call(e))
	if err != nil {
		return j, transition{}, true, err
	}
	if j.Action == policy.Go {
		d.metrics.Verdicts.WithLabelValues(string(policy.Go), "").Inc()
	}
	d.logger(r).LogAttrs(ctx, slog.LevelDebug, "call.judged", j.Attributes()...)
	t, closed, err = d.obey(ctx, r, e, j.Verdict)
	if j.Held && j.Action == policy.Wait && j.Reason != policy.Unread && err == nil {
		// Its process died before the claim. The record of the wait prevents that claim.
		d.giveBackUnsent(ctx, r, e)
	}
	return j, t, closed, err
}

// obey ends a request, or has it wait, unless the verdict is that it may be called.
func (d *Dispatcher) obey(ctx context.Context, r request, e entry, v policy.Verdict) (t transition, closed bool, err error) {
	if v.Action == policy.Go {
		return transition{}, false, nil
	}
	d.metrics.Verdicts.WithLabelValues(string(v.Action), string(v.Reason)).Inc()
	refused := record.Record{Reason: event.Reason(v.Reason), Detail: untrusted.Cut(v.Detail, maxDetail), Gates: gate.Findings(v)}
	switch v.Action {
	case policy.Wait:
		t, err = d.postpone(ctx, r, e, v)
		return t, true, err
	case policy.Skip:
		refused.State = record.Skipped
	default:
		refused.State = record.Rejected
	}
	// The answer does not depend on which routes this process knows, so no other process is
	// given the request first.
	t, err = d.end(ctx, r, refused, e)
	return t, true, err
}

// maxDetail is the number of characters that are kept of the detail of a verdict.
const maxDetail = 2 * maxKept

// giveBack takes the reservation of a call away that was certainly not sent. Without it the
// call counts, which forbids others and places none.
func (d *Dispatcher) giveBack(r request, e entry, j gate.Judgement) {
	if err := d.gate.GiveBack(d.drain, r.call(e), j); err != nil {
		d.logger(r).Warn("call.still_reserved", "error", err)
	}
}

// giveBackUnsent takes the reservation of an ended request away if none of its attempts may
// have placed a call, or if it was made for an attempt that was not claimed.
func (d *Dispatcher) giveBackUnsent(ctx context.Context, r request, e entry) {
	if e.State == record.Accepted || e.State == record.Parked || r.callTo == "" {
		return
	}
	if err := d.gate.GiveBackUnsent(ctx, r.call(e), e.Attempt); err != nil {
		d.logger(r).Warn("call.still_reserved", "error", err)
	}
}

// paused reports that no request may be fetched: Callab takes no calls, or a person has
// stopped all.
func (d *Dispatcher) paused() bool { return d.breaker.Active() || d.bus.AllStopped() }

// waitResume returns when requests may be fetched, or soon: it is called again.
func (d *Dispatcher) waitResume(ctx context.Context) error {
	if d.bus.AllStopped() {
		_ = wait.For(ctx, stoppedPoll)
		return ctx.Err()
	}
	return d.waitWhilePaused(ctx)
}

// tokens is how many tokens of the rate a call takes while only a share of it may be used:
// one at a share of 1, four at a quarter, and a mean of 1/share between.
func tokens(share float64) int {
	n := 1 / max(share, 0.05)
	whole := int(n)
	if rand.Float64() < n-float64(whole) {
		whole++
	}
	return whole
}
