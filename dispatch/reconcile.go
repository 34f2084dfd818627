package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/dispatch/search"
	"callbridge/event"
	"callbridge/untrusted"
)

// expireClaim ends a claim when its owner cannot send the call any more. The
// request becomes unknown, because the owner may have sent it.
func (d *Dispatcher) expireClaim(ctx context.Context, r request, e entry) (transition, error) {
	next := e.Record
	next.State, next.Detail = Unknown, "the process that claimed the call ended before it recorded an answer"
	switch _, unused := d.unusedClaims.LoadAndDelete(e.Nonce); {
	case unused:
		// Our own claim, stored after we had given up on it: no call was sent.
		next.State, next.Detail = Free, ""
	case d.ownerHasEnded(e.Owner):
		// The claim expires at once.
	default:
		age, err := d.age(ctx, e)
		if err != nil {
			return transition{}, err
		}
		if wait := d.config.ClaimAge - age; wait > 0 {
			return retryAfter(wait), nil
		}
	}
	written, err := d.compareAndSet(ctx, r, next, e)
	if err != nil {
		return transition{}, err
	}
	point("unknown")
	return advance(written), nil
}

// ownerHasEnded reports whether owner was an earlier process on our embedded store.
// It has ended, because we hold the store's lock. False means that it is not known.
func (d *Dispatcher) ownerHasEnded(owner string) bool {
	return strings.HasPrefix(d.instance, lockHolder) && strings.HasPrefix(owner, lockHolder) && owner != d.instance
}

const (
	// firstSearch is when Callab's list is first searched: often the call is
	// there and only the answer was lost.
	firstSearch = 2 * time.Second
	// maxSearchInterval bounds the interval between two searches; it doubles
	// up to here.
	maxSearchInterval = 5 * time.Minute
	// maxUnknown is how long a call stays unknown while the list cannot be
	// read.
	maxUnknown = 24 * time.Hour
)

// reconcile searches Callab's list for an unknown call and records what the
// list proves.
func (d *Dispatcher) reconcile(ctx context.Context, r request, e entry) (transition, error) {
	age, err := d.age(ctx, e)
	if err != nil {
		return transition{}, err
	}
	first := min(firstSearch, d.config.Settle/4)
	if age < first {
		return retryAfter(first - age), nil
	}
	outage, ended := d.breaker.Outage()
	if outage && age < maxUnknown {
		// A search would only take a worker from the probe.
		d.inOutage.Store(r.ID, true)
		return retryAfter(min(age, maxSearchInterval)), nil
	}
	age = sinceOutage(age, first, ended)
	found := search.List(ctx, d.api, search.Target{ID: r.ID, CallTo: r.callTo, Claimed: e.Claimed}, mayRedial(e.Record, age, d.config))
	next, wait := resolve(e.Record, age, found, d.config)
	if next.State == Unknown {
		if found.Err != nil {
			d.logger(r).Warn("dispatch.list_unreadable", "error", found.Err)
		}
		return retryAfter(wait), nil
	}
	point("reconciling")
	written, err := d.compareAndSet(ctx, r, next, e)
	if err != nil {
		return transition{}, err
	}
	point("reconciled")
	d.metrics.reconciled.WithLabelValues(string(next.State)).Inc()
	d.logger(r).Info("call.reconciled", "to", r.callTo, "state", next.State,
		"similar_calls", found.Similar, "unknown_for_ms", age.Milliseconds())
	return advance(written), nil
}

// sinceOutage is the age that counts after an outage: Callab may need as long as before
// to show a call in its list.
func sinceOutage(age, least time.Duration, ended time.Time) time.Duration {
	if ended.IsZero() || age >= maxUnknown {
		return age
	}
	return max(min(age, time.Since(ended)), least)
}

// resolve decides what an unknown call becomes. A call that is found is
// accepted at any time; a call that is missing counts as missing only after
// Settle, and only if the whole list was read. While nothing is decided, the
// state stays Unknown and the list is searched again after wait. It is a pure
// function.
func resolve(r Record, age time.Duration, found search.Found, c Config) (next Record, wait time.Duration) {
	next = r
	switch {
	case found.Call != nil:
		next.State, next.Reason, next.Call = Accepted, event.ReasonFound, found.Call
	case found.Err != nil && age < maxUnknown:
		return r, min(age, maxSearchInterval)
	case found.Err == nil && age < c.Settle:
		return r, min(age, c.Settle-age)
	case found.Err == nil && found.Similar == 0 && mayRedial(r, age, c):
		next.State, next.NotBefore, next.WaitMS = Free, time.Time{}, 0
	default:
		next.State, next.Reason = Parked, cmp.Or(r.Reason, event.ReasonNotFound)
		next.Detail = parkedDetail(r.Detail, found)
	}
	return next, 0
}

// mayRedial reports whether a call that is missing from the list is placed again.
func mayRedial(r Record, age time.Duration, c Config) bool {
	return c.Redial && age >= c.Settle && r.Attempt < c.Attempts && r.Reason != event.ReasonHeldAfterLoss
}

func parkedDetail(cause string, found search.Found) string {
	switch {
	case found.Err != nil:
		return fmt.Sprintf("%s; Callab's list could not be read for %s: %s", cause, maxUnknown, untrusted.Redact(found.Err.Error()))
	case found.Similar > 0:
		return fmt.Sprintf("%s; not in Callab's list by its id, but %d call(s) to the same number at that time are", cause, found.Similar)
	}
	return cause + "; not in Callab's list"
}

// sweepEvery is the default of Config.SweepEvery.
const sweepEvery = 5 * time.Minute

// sweepLoop sweeps the ledger until ctx ends. A request is redelivered until it
// is done, so nothing should be stuck; but a consumer can be deleted, and
// another client can acknowledge a request.
func (d *Dispatcher) sweepLoop(ctx context.Context) {
	every := cmp.Or(d.config.SweepEvery, sweepEvery)
	// The first sweep comes early, for the metrics. The random part keeps
	// several processes from sweeping at the same time.
	for wait := every / 10; ; wait = every + rand.N(every/4) {
		sleep(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("dispatch.sweep_failed", "error", err)
		}
	}
}

// sweep reads the whole ledger, sets the metrics of its states and resumes
// requests that are stuck.
func (d *Dispatcher) sweep(ctx context.Context) error {
	now, err := d.ledger.Now(ctx)
	if err != nil {
		return err
	}
	count, oldest := map[State]int{}, map[State]time.Duration{}
	var stuck []uuid.UUID
	err = d.ledger.Each(ctx, func(id uuid.UUID, e bus.Entry) error {
		var r Record
		if event.Unmarshal(e.Data, &r) != nil {
			return nil
		}
		age := now.Sub(e.Stored)
		count[r.State]++
		oldest[r.State] = max(oldest[r.State], age)
		if d.stuck(r, age) {
			stuck = append(stuck, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.metrics.setLedger(count, oldest)
	for _, id := range stuck {
		d.resume(ctx, id)
	}
	return ctx.Err()
}

// stuck reports whether a record is overdue. A false positive is safe: both
// workers use compare-and-set, and one of them loses.
func (d *Dispatcher) stuck(r Record, age time.Duration) bool {
	overdue := d.config.ClaimAge + d.config.Settle + d.bus.AckWait()
	if !slices.Contains(openStates, r.State) || age < overdue {
		return false
	}
	return age-r.wait() > overdue
}

// resume processes a stored request as if it had been delivered again.
func (d *Dispatcher) resume(ctx context.Context, id uuid.UUID) {
	stored, err := d.bus.StoredRequest(ctx, id)
	if errors.Is(err, bus.ErrGone) {
		d.log.Error("dispatch.request_gone", "request_id", id,
			"hint", "its request is no longer stored; search for the call in Callab's list")
		return
	}
	if err != nil {
		d.log.Warn("dispatch.sweep_failed", "request_id", id, "error", err)
		return
	}
	r, err := parseRequest(stored)
	if err != nil {
		return // the next delivery rejects it
	}
	if _, taken := d.inProgress.LoadOrStore(id, true); taken {
		return
	}
	defer d.inProgress.Delete(id)
	result := d.process(ctx, r, false)
	d.logger(r).Warn("dispatch.taken_up", "done", result.Ack)
}
