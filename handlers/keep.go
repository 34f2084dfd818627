package handlers

import (
	"context"

	"callbridge/bus"
	"callbridge/mapping"
	"callbridge/span"
)

// keep maps events and stores all that comes of them in one go. An event that
// has to be looked up in its CRM first is stored as it is: the CRM that sends
// it waits for the answer.
func (in Intake) keep(ctx context.Context, config *mapping.Config, events []mapping.Incoming, trace span.Parent) (answer, error) {
	a := answer{Events: make([]eventAnswer, len(events))}
	var items []bus.Decision
	var owner []int
	for i, e := range events {
		a.Events[i].ID = e.Event.ID
		made, err := itemsOf(config, e, &a.Events[i])
		if err != nil {
			return a, err
		}
		for range made {
			owner = append(owner, i)
		}
		items = append(items, made...)
	}
	seen, err := in.Bus.Store(ctx, string(trace), items...)
	if err != nil {
		return a, err
	}
	for i, was := range seen {
		if was {
			a.Events[owner[i]].seen++
		}
	}
	for i := range a.Events {
		a.Events[i].settle()
	}
	return a, nil
}

func itemsOf(config *mapping.Config, e mapping.Incoming, a *eventAnswer) ([]bus.Decision, error) {
	if _, needed := config.Lookup(e); needed {
		p, err := config.Waiting(e)
		a.wait()
		return []bus.Decision{{Pending: &p}}, err
	}
	var items []bus.Decision
	for _, d := range config.Map(e) {
		a.expect(d)
		items = append(items, bus.Decision{Request: d.Request, Result: d.Result})
	}
	return items, nil
}
