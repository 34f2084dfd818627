package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"callbridge/bus/archive"
	"callbridge/event"
)

// Query selects results. Empty members select all.
type Query struct {
	Since, Until time.Time
	Source, Route,
	Outcome, Reason string
	Where *Where
	// Before continues an earlier answer: its Next.
	Before uint64
	// Limit is how many rows are returned; 0 for all.
	Limit int
	// CountBy counts the results by a member of Columns, instead of returning rows.
	CountBy string
	// Unbounded reads on beyond MaxScan and MaxTime, which bound a search by content.
	Unbounded bool

	// contains is in the bytes of every result that match selects; both are for Locate.
	contains []byte
	match    func(archive.Message, event.Result) bool
}

// Row is one result that was found.
type Row struct {
	Sequence uint64
	Stored   time.Time
	Result   event.Result
}

// Count is how many results have a value.
type Count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Found is the answer to a Query.
type Found struct {
	Rows []Row
	// Counts are the most frequent values first.
	Counts []Count
	// Read is how many results were looked at.
	Read int
	// Next continues where this answer ends, or is 0 if there is nothing left. Reached is
	// the time of the oldest result that was looked at.
	Next    uint64
	Reached time.Time
}

// columns are what results can be counted by.
var columns = map[string]func(event.Result) string{
	"outcome": func(r event.Result) string { return string(r.Outcome) },
	"reason":  func(r event.Result) string { return string(r.Reason) },
	"source":  func(r event.Result) string { return r.Event.Source },
	"route":   func(r event.Result) string { return r.Route },
	"field":   func(r event.Result) string { return r.Field },
	"type":    func(r event.Result) string { return r.Event.Type },
	"config":  func(r event.Result) string { return r.Config },
}

// Columns are the values of Query.CountBy.
func Columns() (names []string) {
	for name := range columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// errEnough ends the reading of results.
var errEnough = errors.New("enough")

// Find returns the results that a query selects, the newest first. A search by content
// stops after MaxScan results or MaxTime, unless it is Unbounded, and says how far it got.
func Find(ctx context.Context, store Store, q Query) (Found, error) {
	var f Found
	counts := map[string]int{}
	began := time.Now()
	bounded := !q.Unbounded && (q.Where != nil || q.match != nil)
	in := archive.Range{Outcome: q.Outcome, Source: q.Source, Since: q.Since, Until: q.Until, Before: q.Before}
	err := store.Newest(ctx, in, func(m archive.Message) error {
		if q.Limit > 0 && len(f.Rows) == q.Limit || bounded && (f.Read == MaxScan || time.Since(began) > MaxTime) {
			f.Next = m.Sequence + 1
			return errEnough
		}
		f.Read++
		f.Reached = m.At
		var r event.Result
		if !q.mayBe(m.Data) || event.Unmarshal(m.Data, &r) != nil || !q.selects(m, r) {
			return nil
		}
		if column, ok := columns[q.CountBy]; ok {
			counts[column(r)]++
			return nil
		}
		f.Rows = append(f.Rows, Row{Sequence: m.Sequence, Stored: m.At, Result: r})
		return nil
	})
	if !errors.Is(err, errEnough) {
		f.Next = 0
		if err != nil {
			return Found{}, err
		}
	}
	for value, n := range counts {
		f.Counts = append(f.Counts, Count{value, n})
	}
	slices.SortFunc(f.Counts, func(a, b Count) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Value, b.Value)) })
	return f, nil
}

// mayBe is a quick look at the bytes of a result, to decode only those that may be selected.
func (q Query) mayBe(data []byte) bool {
	return bytes.Contains(data, q.contains) && (q.Reason == "" || bytes.Contains(data, []byte(`"reason":"`+q.Reason+`"`)))
}

func (q Query) selects(m archive.Message, r event.Result) bool {
	return (q.Route == "" || r.Route == q.Route) && (q.Reason == "" || string(r.Reason) == q.Reason) &&
		(q.match == nil || q.match(m, r)) && q.Where.holds(r)
}
