package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/archive"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/history"
)

// Make makes a plan for the events whose results a query selects. Names are the routes of
// the configuration.
func Make(ctx context.Context, store history.Store, c Configuration, names history.Names, q history.Query, now time.Time) (Plan, error) {
	p := Plan{ID: uuid.New(), Made: now, Items: []Item{}}
	found, err := history.Find(ctx, store, q)
	if err != nil {
		return Plan{}, err
	}
	p.Read, p.Partly = found.Read, found.Next > 0
	seen := map[uuid.UUID]bool{}
	for _, row := range found.Rows {
		e := row.Result.Event
		if seen[e.ID] || len(e.Data) == 0 {
			continue
		}
		seen[e.ID] = true
		olds, err := earlier(ctx, store, names, row)
		if err != nil {
			return Plan{}, fmt.Errorf("read what was decided about the event %s: %w", e.ID, err)
		}
		p.Items = append(p.Items, compare(c, e, olds, now)...)
	}
	p.sort()
	return p, nil
}

// earlier is what was decided about the event of a result, by the names of routes.
func earlier(ctx context.Context, store history.Store, names history.Names, row history.Row) (map[string]Old, error) {
	e := row.Result.Event
	olds := map[string]Old{}
	routes := append([]string{""}, names[e.Source]...)
	if row.Result.Route != "" {
		routes = append(routes, row.Result.Route)
	}
	for _, route := range routes {
		if _, have := olds[route]; have {
			continue
		}
		old, found, err := one(ctx, store, event.RequestID(e.ID, route))
		if err != nil {
			return nil, err
		}
		if found {
			olds[route] = old
		}
	}
	// A rejection has an id of its own.
	if _, have := olds[row.Result.Route]; !have {
		olds[row.Result.Route] = Old{Request: row.Result.RequestID, Outcome: row.Result.Outcome, Reason: row.Result.Reason, At: row.Stored}
	}
	return olds, nil
}

// one is what is known about a request.
func one(ctx context.Context, store history.Store, id uuid.UUID) (old Old, found bool, err error) {
	old.Request = id
	m, requested, err := store.Request(ctx, id)
	if err != nil {
		return old, false, err
	}
	if requested {
		old.take(m)
	}
	records, err := store.Records(ctx, id)
	if err != nil {
		return old, false, err
	}
	if n := len(records); n > 0 {
		old.Revision = records[n-1].Sequence
		if state := record.Read(records[n-1].Data).State; state.IsFinal() {
			old.Outcome, old.Open = state.Outcome(), false
		} else if state == record.Claimed || state == record.Unknown || state == record.Unreadable {
			// A call may have been placed.
			old.Outcome, old.Open = event.Unknown, false
		}
	}
	results, err := store.Results(ctx, id)
	for _, m := range results {
		var r event.Result
		if event.Unmarshal(m.Data, &r) == nil && record.Of(r.Outcome) != record.None {
			old.Outcome, old.Reason, old.At, old.Open = r.Outcome, r.Reason, m.At, false
			if to := (event.Item{Result: &r}).CallTo(); to != "" {
				old.to = event.Phone(to)
			}
		}
	}
	return old, requested || len(records) > 0 || len(results) > 0, err
}

// take reads a stored request: it is open until something else is known.
func (o *Old) take(m archive.Message) {
	var r event.Request
	o.Open, o.At = true, m.At
	if r.Decode(m.Data) == nil {
		o.call, o.to = r.Call, event.Phone(event.Item{Request: &r}.CallTo())
	}
}
