package history

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"callbridge/bus/archive"
	"callbridge/event"
)

// Names are the routes of each source, by which the ids of requests follow from the id of
// an event.
type Names map[string][]string

// Event is an event that was found.
type Event struct {
	event.Event
	// seen are the ids of requests that were found for it, beside those of Names.
	seen []uuid.UUID
}

// requests are what may be stored about the event, with the route where it is known.
func (e Event) requests(names Names) []Request {
	all := []Request{{ID: event.RequestID(e.ID, "")}}
	for _, route := range names[e.Source] {
		all = append(all, Request{ID: event.RequestID(e.ID, route), Route: route})
	}
	for _, id := range e.seen {
		if !slices.ContainsFunc(all, func(r Request) bool { return r.ID == id }) {
			all = append(all, Request{ID: id})
		}
	}
	return all
}

// maxEvents bounds how many events Locate returns.
const maxEvents = 50

// Located are the events that a text means.
type Located struct {
	// Events are the newest first, as far as they were searched for.
	Events []Event
	// Read is how many results were looked at one after another, because no id leads to
	// the event. Partly: there are older ones that were not.
	Read   int
	Partly bool
}

// Locate finds the events that a text means: the id of a request, an event, a trace or a
// call of Callab, the CRM's key of an event, or a number in E.164 that was to be called. Ids and
// keys lead to the event at once, unless it was rejected; else the newest results are
// looked through.
func Locate(ctx context.Context, store Store, names Names, text string) (Located, error) {
	l := locator{store: store, names: names, text: text}
	if id, err := uuid.Parse(text); err == nil {
		if err := l.byID(ctx, id); err != nil {
			return Located{}, err
		}
	}
	for source := range names {
		if err := l.byEvent(ctx, source, event.EventID(source, text)); err != nil {
			return Located{}, err
		}
	}
	if len(l.found.Events) > 0 {
		return l.found, nil
	}
	err := l.scan(ctx)
	return l.found, err
}

type locator struct {
	store Store
	names Names
	text  string
	found Located
}

// add adds an event, or what was found about one that is there.
func (l *locator) add(e event.Event, request uuid.UUID) {
	for i := range l.found.Events {
		if have := &l.found.Events[i]; have.ID == e.ID && have.Source == e.Source {
			have.seen = append(have.seen, request)
			return
		}
	}
	l.found.Events = append(l.found.Events, Event{Event: e, seen: []uuid.UUID{request}})
}

// byID looks for a request, and for an event, with an id.
func (l *locator) byID(ctx context.Context, id uuid.UUID) error {
	found, err := l.byRequest(ctx, id)
	if found || err != nil {
		return err
	}
	for source := range l.names {
		if err := l.byEvent(ctx, source, id); err != nil {
			return err
		}
	}
	return nil
}

// byRequest looks for a request, or a result, with an id.
func (l *locator) byRequest(ctx context.Context, id uuid.UUID) (found bool, err error) {
	m, found, err := l.store.Request(ctx, id)
	if err != nil {
		return false, err
	}
	var stored event.Request
	if found && stored.Decode(m.Data) == nil {
		l.add(stored.Event, id)
		return true, nil
	}
	results, err := l.store.Results(ctx, id)
	for _, m := range results {
		var r event.Result
		if event.Unmarshal(m.Data, &r) == nil {
			l.add(r.Event, id)
			found = true
		}
	}
	return found, err
}

// byEvent looks for an event of a source.
func (l *locator) byEvent(ctx context.Context, source string, id uuid.UUID) error {
	m, found, err := l.store.Pending(ctx, id)
	if err != nil {
		return err
	}
	var p event.Pending
	if found && event.Unmarshal(m.Data, &p) == nil && p.Event.Source == source {
		l.add(p.Event, event.RequestID(id, ""))
	}
	for _, request := range (Event{Event: event.Event{ID: id, Source: source}}).requests(l.names) {
		if _, err := l.byRequest(ctx, request.ID); err != nil {
			return err
		}
	}
	return nil
}

// scan looks through the newest results.
func (l *locator) scan(ctx context.Context) error {
	number := event.IsE164(l.text)
	part := []byte(strings.TrimPrefix(l.text, "+"))
	found, err := Find(ctx, l.store, Query{Limit: maxEvents, match: func(m archive.Message, r event.Result) bool {
		return number && namesNumber(r, l.text) || !number && means(m, r, l.text)
	}, contains: part})
	if err != nil {
		return err
	}
	for _, row := range found.Rows {
		l.add(row.Result.Event, row.Result.RequestID)
	}
	l.found.Read, l.found.Partly = found.Read, found.Next > 0
	return nil
}

// namesNumber reports whether a result is about a number: its call dials it, or its event
// has it, in whatever way it is written with its digits together.
func namesNumber(r event.Result, number string) bool {
	return (event.Item{Result: &r}).CallTo() == number || bytes.Contains(r.Event.Data, []byte(strings.TrimPrefix(number, "+")))
}

// means reports whether a text is an id or the key of a result's event, or a value in
// Callab's answer, such as the id of the call.
func means(m archive.Message, r event.Result, text string) bool {
	return r.Event.Key == text || r.Event.ID.String() == text || len(text) == traceLength && strings.Contains(m.Trace, text) ||
		bytes.Contains(r.Call, []byte(strconv.Quote(text)))
}

// traceLength is the length of a trace's id.
const traceLength = 32
