// Package search finds the call of a request in Callab's list. It writes the request id
// into a call before it is sent, and recognises the call by it afterwards
// (docs/decisions/0003-dialling-once.md). It imports event and callab.
//
//   - search.go: which searches there are, page after page
//   - relate.go: which call of the list is the request's
//   - sign.go: write the id into a call
//   - number.go: whether two spellings may be the same number
package search

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"callbridge/callab"
	"callbridge/event"
)

// Target is the request whose call is searched for.
type Target struct {
	ID uuid.UUID
	// CallTo is empty if the request is not stored any more.
	CallTo event.Phone
	// Claimed is when the call may have been sent at the earliest.
	Claimed time.Time
}

// Found is what a search found.
type Found struct {
	// Call is Callab's whole object, if it is the request's call.
	Call json.RawMessage
	// Similar counts the calls that may be the request's, because they carry no
	// other request's id, although nothing proves it (see relate).
	Similar int
	// Err: the list could not be read to its end.
	Err error
}

const (
	// listSkew is how far Callab's clock may differ from ours.
	listSkew = 10 * time.Minute
	// perPage is Callab's default. Calls with their transcripts are large, and a page
	// that is too large could not be read at all.
	perPage = 10
	// maxPages bounds one search. A search without a term reads the calls of all
	// persons: at 5 calls a second, 3,600 in twelve minutes.
	maxPages, maxPagesOfAll = 200, 2000
)

// List searches Callab's list by request id and then by number, newest first, until
// calls are older than the claim. Callab's search covers call_to and notes. It does not
// document how it writes numbers, and may keep no notes, so the two searches prove no
// absence: before another call, all calls since the claim are read.
func List(ctx context.Context, api *callab.Client, t Target, all bool) Found {
	var found Found
	seen := map[string]bool{}
	terms := []string{t.ID.String()}
	if t.CallTo != "" {
		terms = append(terms, string(t.CallTo))
	}
	if all {
		terms = append(terms, "")
	}
	for _, term := range terms {
		if term == "" && len(seen) > 0 {
			break
		}
		found.Err = pages(ctx, api, term, t.Claimed.Add(-listSkew), func(c callab.Call) (done bool) {
			switch relate(c, t, time.Now()) {
			case own:
				found.Call = c.Raw
			case similar:
				seen[c.ID] = true
			}
			return found.Call != nil
		})
		if found.Err != nil || found.Call != nil {
			break
		}
	}
	found.Similar = len(seen)
	return found
}

// pages passes the calls that a search finds to see, page after page, until
// see is done, no calls are left, or all calls of a page are older than oldest.
func pages(ctx context.Context, api *callab.Client, term string, oldest time.Time, see func(callab.Call) (done bool)) error {
	var order newestFirst
	most := maxPages
	if term == "" {
		most = maxPagesOfAll
	}
	for page := range most {
		calls, err := api.QueryCalls(ctx, callab.Query{Search: term, Page: page, PerPage: perPage})
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
