package callabsim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (s *Sim) getCall(x *exchange) {
	fault := s.nextFault(OnGet, "")
	if fault.beforePlacing(x) {
		return
	}
	s.mu.Lock()
	i, found := s.index[x.r.PathValue("id")]
	var call Call
	if found {
		call = s.at(s.calls[i], s.options.Clock())
		found = !call.isGone()
	}
	s.mu.Unlock()
	if !found {
		x.refuse(http.StatusOK, "call not found")
		return
	}
	if !fault.afterPlacing(x, call) {
		x.ok(call)
	}
}

func (s *Sim) queryCalls(x *exchange) {
	fault := s.nextFault(OnQuery, "")
	if fault.beforePlacing(x) {
		return
	}
	q, err := s.parseQuery(x.r.URL.Query())
	if err != nil {
		x.refuse(http.StatusOK, err.Error())
		return
	}
	page := q.page(s.visible())
	if !fault.afterPlacing(x, page) {
		x.ok(page)
	}
}

// visible returns the calls that the list shows by now, in their current state.
func (s *Sim) visible() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock()
	calls := make([]Call, 0, len(s.calls))
	for _, c := range s.calls {
		if !c.CreatedAt.Add(s.options.ListLag).After(now) {
			if c = s.at(c, now); !c.isGone() {
				calls = append(calls, c)
			}
		}
	}
	return calls
}

// query holds the parameters of GET /calls/query that are simulated: those the
// client sends.
// Source: https://docs.callab.ai/api-reference/campaign-calls/query.
type query struct {
	search       string
	number, size int
	// byUpdate sorts by updated_at, oldestFirst in ascending order.
	byUpdate, oldestFirst bool
}

// parseQuery refuses every other parameter: to ignore a filter would return
// calls that the real API leaves out.
func (s *Sim) parseQuery(v url.Values) (query, error) {
	for name := range v {
		if !slices.Contains([]string{"search", "page", "per_page", "sort_column", "order"}, name) {
			return query{}, fmt.Errorf("parameter %s is not simulated", name)
		}
	}
	q := query{search: strings.ToLower(v.Get("search"))}
	var numberErr, sizeErr error
	q.number, numberErr = integer(v, "page", 0)
	q.size, sizeErr = integer(v, "per_page", 10)
	q.size = min(q.size, s.options.MaxPerPage)
	byUpdate, sortErr := choice(v, "sort_column", "created_at", "updated_at")
	oldestFirst, orderErr := choice(v, "order", "desc", "asc")
	if !s.options.IgnoresSort {
		q.byUpdate, q.oldestFirst = byUpdate, oldestFirst
	}
	return q, errors.Join(numberErr, sizeErr, sortErr, orderErr)
}

// choice reports whether a parameter has its second value; the first is the default.
func choice(v url.Values, name, first, second string) (bool, error) {
	switch v.Get(name) {
	case "", first:
		return false, nil
	case second:
		return true, nil
	}
	return false, fmt.Errorf("%s is simulated for %s and %s", name, first, second)
}

func integer(v url.Values, name string, missing int) (int, error) {
	text := v.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s is not a whole number", name)
	}
	return int(n), nil
}

// page returns the requested page of the calls that match, newest first by default. A
// page after the last one is empty.
func (q query) page(calls []Call) []Call {
	calls = slices.DeleteFunc(calls, func(c Call) bool { return !q.matches(c) })
	slices.SortStableFunc(calls, func(a, b Call) int {
		if q.byUpdate {
			return a.UpdatedAt.Compare(b.UpdatedAt)
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	if !q.oldestFirst {
		slices.Reverse(calls)
	}
	// In 64 bits, since number and size have up to 31 bits each.
	first := min(int64(q.number)*int64(q.size), int64(len(calls)))
	last := min(first+int64(q.size), int64(len(calls)))
	return calls[first:last]
}

// matches searches the fields that Callab documents for search, and no others.
func (q query) matches(c Call) bool {
	if q.search == "" {
		return true
	}
	for _, text := range []*string{&c.CallTo, &c.Notes, c.CallFeedback, c.Transcript} {
		if text != nil && strings.Contains(strings.ToLower(*text), q.search) {
			return true
		}
	}
	return false
}
