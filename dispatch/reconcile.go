package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/callab"
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
	if first := min(firstSearch, d.config.Settle/4); age < first {
		return retryAfter(first - age), nil
	}
	found := d.searchList(ctx, r, e.Claimed, mayRedial(e.Record, age, d.config))
	next, wait := resolve(e.Record, age, found, d.config)
	if next.State == Unknown {
		if found.err != nil {
			d.logger(r).Warn("dispatch.list_unreadable", "error", found.err)
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
		"similar_calls", found.similar, "unknown_for_ms", age.Milliseconds())
	return advance(written), nil
}

// listed is what a search of Callab's list found.
type listed struct {
	// call is Callab's whole object, if it carries the request id.
	call json.RawMessage
	// similar counts the calls that may be the request's, because they carry no
	// other request's id, although nothing proves it (see relate).
	similar int
	// err: the list could not be read to its end.
	err error
}

// resolve decides what an unknown call becomes. A call that is found is
// accepted at any time; a call that is missing counts as missing only after
// Settle, and only if the whole list was read. While nothing is decided, the
// state stays Unknown and the list is searched again after wait. It is a pure
// function.
func resolve(r Record, age time.Duration, found listed, c Config) (next Record, wait time.Duration) {
	next = r
	switch {
	case found.call != nil:
		next.State, next.Reason, next.Call = Accepted, event.ReasonFound, found.call
	case found.err != nil && age < maxUnknown:
		return r, min(age, maxSearchInterval)
	case found.err == nil && age < c.Settle:
		return r, min(age, c.Settle-age)
	case found.err == nil && found.similar == 0 && mayRedial(r, age, c):
		next.State, next.NotBefore = Free, time.Time{}
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

func parkedDetail(cause string, found listed) string {
	switch {
	case found.err != nil:
		return fmt.Sprintf("%s; Callab's list could not be read for %s: %s", cause, maxUnknown, untrusted.Redact(found.err.Error()))
	case found.similar > 0:
		return fmt.Sprintf("%s; not in Callab's list by its id, but %d call(s) to the same number at that time are", cause, found.similar)
	}
	return cause + "; not in Callab's list"
}

const (
	// listSkew is how far Callab's clock may differ from ours.
	listSkew = 10 * time.Minute
	// perPage and maxPages bound one search. Callab documents no maximum of
	// per_page and may send fewer. A search without a term reads the calls of all
	// persons: at 5 calls a second, 3,600 in twelve minutes.
	perPage, maxPages, maxPagesOfAll = 50, 40, 400
)

// searchList searches Callab's list by number and then by request id, newest
// first, until calls are older than the claim. Callab's search covers call_to
// and notes. It does not document how it writes numbers, and may keep no notes, so
// the two searches prove no absence: before another call, all calls since the claim
// are read.
func (d *Dispatcher) searchList(ctx context.Context, r request, claimed time.Time, all bool) listed {
	var found listed
	seen := map[string]bool{}
	terms := []string{string(r.callTo), r.ID.String()}
	if all {
		terms = append(terms, "")
	}
	for _, term := range terms {
		found.err = d.searchPages(ctx, term, claimed.Add(-listSkew), func(c callab.Call) (done bool) {
			switch relate(c, r, claimed, time.Now()) {
			case own:
				found.call = c.Raw
			case similar:
				seen[c.ID] = true
			}
			return found.call != nil
		})
		if found.err != nil || found.call != nil || term == r.ID.String() && len(seen) > 0 {
			break
		}
	}
	found.similar = len(seen)
	return found
}

// searchPages passes the calls that a search finds to see, page after page, until
// see is done, no calls are left, or all calls of a page are older than oldest.
func (d *Dispatcher) searchPages(ctx context.Context, term string, oldest time.Time, see func(callab.Call) (done bool)) error {
	var order newestFirst
	most := maxPages
	if term == "" {
		most = maxPagesOfAll
	}
	for page := range most {
		calls, err := d.api.QueryCalls(ctx, callab.Query{Search: term, Page: page, PerPage: perPage})
		if err != nil {
			return err
		}
		// A short page need not be the last one: per_page may be capped.
		old := true
		for _, c := range calls {
			if see(c) {
				return nil
			}
			order.add(c.CreatedAt.Time)
			old = old && before(c.CreatedAt, oldest)
		}
		if len(calls) == 0 || old && !order.broken {
			return nil
		}
	}
	return fmt.Errorf("callab's list has more than %d pages since the claim", most)
}

// newestFirst watches the order of a list: old calls prove only in a list that begins
// with the newest that no new one follows.
type newestFirst struct {
	oldest time.Time
	broken bool
}

// maxDisorder is how much newer a call may be than one before it in the list.
const maxDisorder = time.Minute

func (n *newestFirst) add(created time.Time) {
	switch {
	case created.IsZero():
	case n.oldest.IsZero(), created.Before(n.oldest):
		n.oldest = created
	case created.Sub(n.oldest) > maxDisorder:
		n.broken = true
	}
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
		if d.stuck(r, age, now) {
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
func (d *Dispatcher) stuck(r Record, age time.Duration, now time.Time) bool {
	overdue := d.config.ClaimAge + d.config.Settle + d.bus.AckWait()
	if !slices.Contains(openStates, r.State) || age < overdue {
		return false
	}
	return now.Sub(r.NotBefore) > overdue
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
