package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/wait"
	"callbridge/policy"
	"callbridge/untrusted"
)

const (
	// stoppedRetry is the delay until a request that is stopped is delivered again, and
	// half of the longest.
	stoppedRetry = 5 * time.Second
	// stoppedPoll is how often a process in which everything is stopped looks whether
	// it still is.
	stoppedPoll = 100 * time.Millisecond
)

// scope is what a stop may cover. The country is unknown without Config.Country.
func (d *Dispatcher) scope(r request) control.Scope {
	s := control.Scope{Source: r.Event.Source, Route: r.Route}
	if d.config.Country != nil {
		s.Country = d.config.Country(r.callTo)
	}
	return s
}

// waitStopped has a request that is stopped wait, by what this process knows of stops: it
// then takes no slot and no token.
func (d *Dispatcher) waitStopped(r request) (t transition, is bool) {
	if _, is := d.bus.KnownStop(d.scope(r)); is {
		return retryAfter(stoppedRetry + rand.N(stoppedRetry)), true
	}
	return transition{}, false
}

// gate is the last question before a claim: does anything forbid this call now? It reads
// from the leaders of the streams. An error means no call.
func (d *Dispatcher) gate(ctx context.Context, r request, e entry) (t transition, closed bool, err error) {
	_, stopped, err := d.bus.Stopped(ctx, d.scope(r))
	if err != nil {
		return transition{}, true, err
	}
	if stopped {
		return retryAfter(stoppedRetry + rand.N(stoppedRetry)), true, nil
	}
	detail, forbidden, err := d.doNotCall(ctx, r)
	if err != nil || !forbidden {
		return transition{}, err != nil, err
	}
	t, err = d.end(ctx, r, record.Record{State: record.Skipped, Reason: event.ReasonDoNotCall, Detail: detail}, e)
	return t, true, err
}

// doNotCall reports whether the person of a request must not be called, and why: by the
// file of DNC_FILE or by the list on NATS. No request is exempt.
func (d *Dispatcher) doNotCall(ctx context.Context, r request) (detail string, is bool, err error) {
	if d.config.Listed != nil {
		if detail, is, err = d.config.Listed(r.callTo); err != nil || is {
			return detail, is, err
		}
	}
	e, is, err := d.bus.DoNotCall(ctx, r.callTo, dnc.Scope{Source: r.Event.Source, Route: r.Route})
	if err != nil || !is {
		return "", false, err
	}
	return fmt.Sprintf("the person must not be called (%s) since %s, said by %q: %s",
		e.Scope, e.Since.UTC().Format(time.RFC3339), untrusted.Cut(e.By, maxKept), untrusted.Cut(e.Why, maxKept)), true, nil
}

// Listed reports whether a number must not be called by a list of this process, and why.
// An error means that the list is not known, and that no call may be placed.
type Listed func(event.Phone) (detail string, is bool, err error)

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

// Policy returns the policy of a request and the facts that the request itself holds: its
// places, consent and expiry. It is pure.
type Policy func(*event.Request) (policy.Policy, policy.Facts)

// Country returns the ISO 3166 code of a number's country, or "" if it is not known.
type Country func(event.Phone) string
