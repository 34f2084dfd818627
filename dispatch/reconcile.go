package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"callbridge/callab"
	"callbridge/event"
)

// expire declares a claim dead whose owner has had all the time that a call
// can take. Then nobody knows whether it was sent.
func (d *Dispatcher) expire(ctx context.Context, j job, e entry) (*entry, rest, error) {
	next := e.Record
	next.State, next.Detail = Unknown, "the process that claimed the call ended before it recorded an answer"
	switch _, unused := d.abandoned.LoadAndDelete(e.Nonce); {
	case unused:
		// Our own claim, stored after we had given up on it: not sent.
		next.State, next.Detail = Free, ""
	case d.holdsLockOf(e.Owner):
		// The lock of the store proves that the owner is gone.
	default:
		age, err := d.age(ctx, e)
		if err != nil {
			return nil, rest{}, err
		}
		if wait := d.config.ClaimAge - age; wait > 0 {
			return nil, later(wait), nil
		}
	}
	written, err := d.put(ctx, j.request.ID, next, e)
	if err != nil {
		return nil, rest{}, err
	}
	point("unknown")
	return &written, rest{}, nil
}

// holdsLockOf reports whether owner embedded the NATS that this process embeds
// now.
func (d *Dispatcher) holdsLockOf(owner string) bool {
	return strings.HasPrefix(d.instance, lockHolder) && strings.HasPrefix(owner, lockHolder) && owner != d.instance
}

// reconcile looks for an unknown call in Callab's list. Found is found at any
// time; missing counts only after the list had time to settle.
func (d *Dispatcher) reconcile(ctx context.Context, j job, e entry) (*entry, rest, error) {
	age, err := d.age(ctx, e)
	if err != nil {
		return nil, rest{}, err
	}
	if first := min(firstLook, d.config.Settle/4); age < first {
		return nil, later(first - age), nil
	}
	next := e.Record
	found, err := d.find(ctx, j, e)
	switch {
	case err == nil && found.call != nil:
		next.State, next.Reason, next.Call = Accepted, event.ReasonFound, found.call
	case err != nil && age < maxUnknown:
		// While the list cannot be read, nothing is decided.
		d.logOf(j).Warn("dispatch.list_unreadable", "error", err)
		return nil, later(min(age, maxRecheck)), nil
	case err == nil && age < d.config.Settle:
		return nil, later(min(age, d.config.Settle-age)), nil
	case err == nil && d.config.Redial && found.similar == 0 && e.Attempt < d.config.Attempts:
		next.State, next.NotBefore = Free, time.Time{}
	default:
		next.State, next.Reason = Parked, event.ReasonNotFound
		next.Detail = parkedDetail(e.Detail, found.similar, err)
	}
	point("reconciling")
	written, err := d.put(ctx, j.request.ID, next, e)
	if err != nil {
		return nil, rest{}, err
	}
	point("reconciled")
	d.metrics.reconciled.WithLabelValues(string(next.State)).Inc()
	d.logOf(j).Info("call.reconciled", "to", j.to(), "state", next.State,
		"similar_calls", found.similar, "unknown_for_ms", age.Milliseconds())
	return &written, rest{}, nil
}

func parkedDetail(cause string, similar int, err error) string {
	switch {
	case err != nil:
		return fmt.Sprintf("%s; Callab's list could not be read for %s: %s", cause, maxUnknown, event.Redact(err.Error()))
	case similar > 0:
		return fmt.Sprintf("%s; not in Callab's list by its id, but %d call(s) to the same number at that time are", cause, similar)
	}
	return cause + "; not in Callab's list"
}

const (
	// firstLook is when Callab is first asked: often the call is there and
	// only the answer was lost.
	firstLook = 2 * time.Second
	// maxRecheck bounds the time between two looks; it doubles up to here.
	maxRecheck = 5 * time.Minute
	// maxUnknown is how long an unreadable list may leave a call unknown
	// before a person is told.
	maxUnknown = 24 * time.Hour
	// listSkew is by how much Callab's clock may differ from ours.
	listSkew = 10 * time.Minute
	// perPage and maxPages bound one look. Callab states no maximum for
	// per_page and may send fewer.
	perPage, maxPages = 50, 40
)

// found is what one look at the list gave.
type found struct {
	// call is Callab's object, whole, if it carries the request id.
	call json.RawMessage
	// similar counts calls to the same number, since the claim, that carry
	// no request id at all: one of them may be ours, if Callab does not give
	// the id back.
	similar int
}

// find reads Callab's list, newest first, by number and then by request id,
// until a call is older than the claim. Callab's search covers call_to and
// notes; how it writes numbers is not documented, so absence by number alone
// proves nothing.
func (d *Dispatcher) find(ctx context.Context, j job, e entry) (found, error) {
	var f found
	for _, search := range []string{j.callTo, j.request.ID.String()} {
		if err := d.scan(ctx, j, e, search, &f); err != nil || f.call != nil {
			return f, err
		}
	}
	return f, nil
}

func (d *Dispatcher) scan(ctx context.Context, j job, e entry, search string, f *found) error {
	oldest := e.Claimed.Add(-listSkew)
	for page := range maxPages {
		calls, err := d.api.QueryCalls(ctx, callab.Query{Search: search, Page: page, PerPage: perPage})
		if err != nil {
			return err
		}
		for _, c := range calls {
			switch {
			case carries(c, j.request.ID.String()):
				f.call = c.Raw
				return nil
			case !c.CreatedAt.IsZero() && c.CreatedAt.Before(oldest):
				return nil
			case c.CallTo == j.callTo && !carries(c, ""):
				f.similar++
			}
		}
		// A short page is not the last one: per_page may be capped.
		if len(calls) == 0 {
			return nil
		}
	}
	return fmt.Errorf("callab's list has more than %d pages since the claim", maxPages)
}

// carries reports whether a call holds the request id in its metadata, notes
// or variables; with an empty id, whether it holds any of ours.
func carries(c callab.Call, id string) bool {
	meta, _ := c.Metadata[event.RequestKey].(string)
	variable, _ := c.AgentDynamicVariables[event.RequestKey].(string)
	note := ""
	if at := strings.Index(c.Notes, notePrefix); at >= 0 {
		note = c.Notes[at+len(notePrefix):]
	}
	if id == "" {
		return meta != "" || variable != "" || note != ""
	}
	return meta == id || variable == id || strings.HasPrefix(note, id)
}
