package dispatch

import (
	"context"
	"fmt"
	"time"

	"callbridge/bus/loss"
	"callbridge/dispatch/record"
	"callbridge/event"
)

// longestWait bounds how long before its storage the call of a request may have been
// placed: CRMs repeat a webhook for days, and some send odd times.
const longestWait = 30 * 24 * time.Hour

// afterLoss begins a request as an unknown call if NATS has lost what was known of it:
// Callab's list decides whether it was dialled. It reports false if the request is not
// concerned. An error means that nothing may be dialled now.
func (d *Dispatcher) afterLoss(ctx context.Context, r request, e entry) (t transition, concerned bool, err error) {
	asking, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	record, err := d.bus.Losses(asking)
	if err != nil {
		return transition{}, true, fmt.Errorf("ask what NATS has lost: %w", err)
	}
	since := r.since()
	treatment := record.Treat(since, e.stored)
	if treatment == loss.Dial {
		return transition{}, false, nil
	}
	written, err := d.compareAndSet(ctx, r, lostRecord(e.Record, since, treatment), e)
	if err != nil {
		return transition{}, true, err
	}
	d.logger(r).Warn("dispatch.held_after_loss", "to", r.callTo, "event_since", since)
	return advance(written), true, nil
}

// lostRecord is the record of a request about which NATS has lost something.
func lostRecord(r record.Record, since time.Time, treatment loss.Treatment) record.Record {
	r.State, r.Attempt, r.Claimed = record.Unknown, max(1, r.Attempt), since
	r.Detail = "NATS has lost records of the time after the request, or was restored from a copy"
	if treatment == loss.Hold {
		r.Reason = event.ReasonHeldAfterLoss
	}
	return r
}

// since is the earliest time that is known of a request or its event.
func (r request) since() time.Time {
	since := r.stored
	for _, at := range []time.Time{r.Event.Time, r.Event.Received} {
		if !at.IsZero() && (since.IsZero() || at.Before(since)) {
			since = at
		}
	}
	if oldest := r.stored.Add(-longestWait); since.Before(oldest) {
		return oldest
	}
	return since
}
