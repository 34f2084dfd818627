package callabsim

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Sim) getCall(a *answer) {
	fault := s.strike(OnGet, "")
	if fault.before(a) {
		return
	}
	s.mu.Lock()
	at, found := s.index[a.r.PathValue("id")]
	var call Call
	if found {
		call = s.at(s.calls[at], s.options.Clock())
	}
	s.mu.Unlock()
	if !found {
		a.refuse(http.StatusOK, "call not found")
		return
	}
	if !fault.after(a, call) {
		a.ok(call)
	}
}

func (s *Sim) queryCalls(a *answer) {
	fault := s.strike(OnQuery, "")
	if fault.before(a) {
		return
	}
	q, err := s.readQuery(a.r.URL.Query())
	if err != nil {
		a.refuse(http.StatusOK, err.Error())
		return
	}
	page := q.page(s.visible())
	if !fault.after(a, page) {
		a.ok(page)
	}
}

// visible returns the calls that the list shows by now.
func (s *Sim) visible() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock()
	calls := make([]Call, 0, len(s.calls))
	for _, c := range s.calls {
		if !c.CreatedAt.Add(s.options.ListLag).After(now) {
			calls = append(calls, s.at(c, now))
		}
	}
	return calls
}

// query is what GET /calls/query was asked.
// Source: https://docs.callab.ai/api-reference/campaign-calls/query.
type query struct {
	campaign, agent, status, search string
	from, until                     time.Time
	number, size                    int
	column                          string
	ascending                       bool
	filters                         []filter
}

func (s *Sim) readQuery(v url.Values) (query, error) {
	q := query{
		campaign: v.Get("campaign_id"), agent: v.Get("ai_agent_id"),
		status: strings.ToLower(v.Get("status")), search: strings.ToLower(v.Get("search")),
		column: cmp.Or(v.Get("sort_column"), "created_at"),
	}
	var errs [6]error
	q.number, errs[0] = integer(v, "page", 0)
	q.size, errs[1] = integer(v, "per_page", 10)
	q.from, errs[2] = day(v, "start_date")
	q.until, errs[3] = day(v, "end_date")
	q.filters, errs[4] = readFilters(v)
	if !slices.Contains(columns, q.column) {
		errs[5] = fmt.Errorf("sort_column %q cannot be sorted by", q.column)
	}
	switch order := cmp.Or(v.Get("order"), "desc"); order {
	case "asc":
		q.ascending = true
	case "desc":
	default:
		return q, fmt.Errorf("order %q is neither asc nor desc", order)
	}
	q.size = min(q.size, s.options.MaxPerPage)
	return q, errors.Join(errs[:]...)
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

func day(v url.Values, name string) (time.Time, error) {
	text := v.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf("%s is not a date YYYY-MM-DD", name)
	}
	return t, nil
}

// page sorts and cuts what the query wants; a page behind the last is empty.
func (q query) page(calls []Call) []Call {
	calls = slices.DeleteFunc(calls, func(c Call) bool { return !q.wants(c) })
	if q.column == "created_at" {
		slices.SortStableFunc(calls, func(a, b Call) int { return a.CreatedAt.Compare(b.CreatedAt) })
	} else {
		sortBy(calls, q.column)
	}
	if !q.ascending {
		slices.Reverse(calls)
	}
	// In 64 bits: page and size are 31 each.
	first := min(int64(q.number)*int64(q.size), int64(len(calls)))
	last := min(first+int64(q.size), int64(len(calls)))
	return calls[first:last]
}

func (q query) wants(c Call) bool {
	switch {
	case q.campaign != "" && (c.CampaignID == nil || *c.CampaignID != q.campaign),
		q.agent != "" && c.AIAgentID != q.agent,
		!strings.Contains(strings.ToLower(c.CallStatus), q.status),
		!q.started(c), !q.mentioned(c):
		return false
	}
	for _, f := range q.filters {
		if !f.wants(c) {
			return false
		}
	}
	return true
}

// started holds the dates against when the call was started: one that has not
// started is on no day.
func (q query) started(c Call) bool {
	if q.from.IsZero() && q.until.IsZero() {
		return true
	}
	if c.StartedAt == nil {
		return false
	}
	after := q.until.IsZero() || c.StartedAt.Before(q.until.AddDate(0, 0, 1))
	return after && !c.StartedAt.Before(q.from)
}

// mentioned searches where Callab says it searches, and nowhere else.
func (q query) mentioned(c Call) bool {
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
