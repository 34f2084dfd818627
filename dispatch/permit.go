package dispatch

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"callbridge/dispatch/record"
	"callbridge/event"
)

// Permits judges a request by the configuration in force. The outcome is empty if
// the request may be dialled now; else it is event.Rejected or event.Skipped, with
// the reason and a text for people. It is pure and fast: every request is judged
// right before each claim, whoever published it. A refusal sets Config of the request to
// the hash of the configuration that refuses it.
type Permits func(*event.Request) (event.Outcome, event.Reason, string)

const (
	// otherConfiguration is how long after it was stored a request of a route is
	// only given back by a process that would refuse it: during a rolling update
	// this process may have the older configuration. docs/decisions/0013-judging-requests.md
	// has the cause.
	otherConfiguration = 5 * time.Minute
	// giveBack is the delay until such a request is delivered again, and half of
	// the longest: a fixed one can meet the same process each time.
	giveBack = 5 * time.Second
)

// unknownGeneration: it is not known whether the configuration has changed.
const unknownGeneration = -1

// generation is the number of the configuration by which Permits judges now.
func (d *Dispatcher) generation() int {
	if d.config.Generation == nil {
		return unknownGeneration
	}
	return d.config.Generation()
}

// judge returns the final record of a request that may not be dialled, or false.
func (d *Dispatcher) judge(r request) (refused record.Record, is bool) {
	if d.config.Permits == nil {
		return record.Record{}, false
	}
	outcome, reason, detail := d.config.Permits(&r.Request)
	switch outcome {
	case "":
		return record.Record{}, false
	case event.Skipped:
		return record.Record{State: record.Skipped, Reason: reason, Detail: detail, Config: r.Config}, true
	}
	return record.Record{State: record.Rejected, Reason: reason, Detail: detail, Config: r.Config}, true
}

// refuse ends a request that may not be dialled. The ledger decides between this
// process and another one that would dial it: one of the two records is written.
func (d *Dispatcher) refuse(ctx context.Context, r request, refused record.Record, e entry) (transition, error) {
	if r.Route != "" && !d.bus.Embedded() {
		now, err := d.ledger.Now(ctx)
		if err != nil {
			return transition{}, err
		}
		if now.Sub(r.stored) < otherConfiguration {
			return retryAfter(giveBack + rand.N(giveBack)), nil
		}
	}
	return d.end(ctx, r, refused, e)
}

// end writes the final record of a request that is not dialled.
func (d *Dispatcher) end(ctx context.Context, r request, refused record.Record, e entry) (transition, error) {
	refused.Attempt, refused.Unsent, refused.Config = e.Attempt, e.unsent(), cmp.Or(refused.Config, r.Config)
	written, err := d.compareAndSet(ctx, r, refused, e)
	if err != nil {
		return transition{}, err
	}
	d.logger(r).Info("call.not_permitted", "source", r.Event.Source, "route", r.Route, "to", r.callTo,
		"state", refused.State, "reason", refused.Reason, "detail", refused.Detail)
	return advance(written), nil
}
