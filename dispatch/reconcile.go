package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"callbridge/dispatch/fit"
	"callbridge/dispatch/record"
	"callbridge/dispatch/search"
	"callbridge/event"
	"callbridge/untrusted"
)

// expireClaim ends a claim when its owner cannot send the call any more. The
// request becomes unknown, because the owner may have sent it.
func (d *Dispatcher) expireClaim(ctx context.Context, r request, e entry) (transition, error) {
	next := e.Record
	next.Unsent = false
	next.State, next.Detail = record.Unknown, "the process that claimed the call ended before it recorded an answer"
	switch _, unused := d.unusedClaims.LoadAndDelete(e.Nonce); {
	case unused:
		// Our own claim, stored after we had given up on it: no call was sent.
		next.State, next.Detail, next.Unsent = record.Free, "", e.Unsent
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

// doubt makes a record that cannot be read an unknown call, which is never dialled again.
// One whose state may be that of a newer version, as during a rolling update, is left to
// that version for as long as a claim and its search take.
func (d *Dispatcher) doubt(ctx context.Context, r request, e entry) (transition, error) {
	outcome, err := d.bus.ResultOf(ctx, r.Event.Source, r.ID)
	if err != nil {
		return transition{}, err
	}
	if outcome != "" && e.IsForeign() {
		return done(), nil
	}
	age, err := d.age(ctx, e)
	if err != nil {
		return transition{}, err
	}
	if wait := d.config.ClaimAge + d.config.Settle - age; wait > 0 && e.IsForeign() {
		return retryAfter(min(wait, max(age, busRetryDelay))), nil
	}
	d.logger(r).Error("dispatch.record_unreadable", "record", e.revision, "detail", e.Detail,
		"hint", "no call is made; look who may publish to the ledger")
	next := record.Record{State: record.Unknown, Attempt: max(e.Attempt, 1), Claimed: r.stored, Park: true, Detail: "a record of the ledger " + e.Detail}
	if state := record.Of(outcome); state != record.None {
		next.State = state // the request has its result already
	}
	written, err := d.compareAndSet(ctx, r, next, e)
	if err != nil {
		return transition{}, err
	}
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
	if r.gone && !e.Park {
		e.Park, e.Detail = true, fit.Detail(e.Detail, "the request was deleted from its stream")
	}
	found := search.List(ctx, d.api, search.Target{ID: r.ID, CallTo: r.callTo, Claimed: e.Claimed}, mayRedial(e.Record, age, d.config))
	next, wait := resolve(e.Record, age, found, d.config)
	if next.State == record.Unknown {
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
	// It may have a result of which the ledger does not know.
	written.fresh = false
	d.metrics.Reconciled.WithLabelValues(string(next.State)).Inc()
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
func resolve(r record.Record, age time.Duration, found search.Found, c Config) (next record.Record, wait time.Duration) {
	next = r
	switch {
	case found.Call != nil:
		next.State, next.Reason, next.Call = record.Accepted, event.ReasonFound, found.Call
	case found.Err != nil && age < maxUnknown:
		return r, min(age, maxSearchInterval)
	case found.Err == nil && age < c.Settle:
		return r, min(age, c.Settle-age)
	case found.Err == nil && found.Similar == 0 && mayRedial(r, age, c):
		next.State, next.NotBefore, next.WaitMS = record.Free, time.Time{}, 0
	default:
		next.State, next.Reason = record.Parked, cmp.Or(r.Reason, event.ReasonNotFound)
		next.Detail = parkedDetail(r.Detail, found)
	}
	return next, 0
}

// mayRedial reports whether a call that is missing from the list is placed again.
func mayRedial(r record.Record, age time.Duration, c Config) bool {
	return c.Redial && !r.Park && age >= c.Settle && r.Attempt < c.Attempts && r.Reason != event.ReasonHeldAfterLoss
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
