package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/archive"
	"callbridge/dispatch/record"
	"callbridge/event"
)

// Story is all that is known about one event. Numbers in its texts are masked, but for the
// key and the payload of the event.
type Story struct {
	Event event.Event `json:"event"`
	// Requests are the routes with a request or a result, in the order in which they were
	// stored.
	Requests []Request `json:"requests"`
	// Steps are what happened, the oldest first.
	Steps []Step `json:"steps"`
}

// Request is what one route, or the mapping as a whole, has made of the event.
type Request struct {
	ID    uuid.UUID `json:"id"`
	Route string    `json:"route,omitzero"`
	// Outcome is that of its newest result, or empty while there is none.
	Outcome event.Outcome `json:"outcome,omitzero"`
	Reason  event.Reason  `json:"reason,omitzero"`
	// State is that of its newest record in the ledger, or empty.
	State record.State `json:"state,omitzero"`
	// Sentence says in plain words what became of it.
	Sentence string `json:"sentence"`
	// Config is the hash of the configuration that decided.
	Config string `json:"config,omitzero"`
	// To is the number of the call. It masks itself.
	To event.Phone `json:"to,omitzero"`

	first time.Time
}

// Step is one thing that happened.
type Step struct {
	At time.Time `json:"at"`
	// Kind is received, lookup, requested, closed, claim (a record of the ledger) or result.
	Kind  string `json:"kind"`
	Route string `json:"route,omitzero"`
	Text  string `json:"text"`
	// Gates are what the gates of the policy found.
	Gates []event.Gate `json:"gates,omitzero"`
}

// Why tells the story of an event.
func Why(ctx context.Context, store Store, names Names, e Event) (Story, error) {
	s := Story{Event: e.Event}
	if err := s.addEvent(ctx, store); err != nil {
		return Story{}, err
	}
	for _, r := range e.requests(names) {
		found, err := s.addRequest(ctx, store, &r)
		if err != nil {
			return Story{}, err
		}
		if found {
			s.Requests = append(s.Requests, r)
		}
	}
	slices.SortStableFunc(s.Requests, func(a, b Request) int { return a.first.Compare(b.first) })
	slices.SortStableFunc(s.Steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return s, nil
}

func (s *Story) addEvent(ctx context.Context, store Store) error {
	e := s.Event
	if !e.Time.IsZero() {
		s.Steps = append(s.Steps, Step{At: e.Time, Kind: "happened", Text: "it happened in the CRM, by its clock"})
	}
	if !e.Received.IsZero() {
		s.Steps = append(s.Steps, Step{At: e.Received, Kind: "received", Text: "the webhook came in and was verified"})
	}
	m, found, err := store.Pending(ctx, e.ID)
	if found {
		s.Steps = append(s.Steps, Step{At: m.At, Kind: "lookup", Text: "the CRM is asked for more about it"})
	}
	return err
}

// addRequest adds what is known about one request, or returns false.
func (s *Story) addRequest(ctx context.Context, store Store, r *Request) (found bool, err error) {
	if err := s.addStored(ctx, store, r); err != nil {
		return false, err
	}
	records, err := store.Records(ctx, r.ID)
	if err != nil {
		return false, err
	}
	for _, m := range records {
		got := record.Read(m.Data)
		r.State = got.State
		r.note(m)
		s.Steps = append(s.Steps, Step{At: m.At, Kind: "claim", Route: r.Route, Text: recordText(got)})
	}
	results, err := store.Results(ctx, r.ID)
	if err != nil {
		return false, err
	}
	for _, m := range results {
		s.addResult(r, m)
	}
	if r.Sentence == "" {
		r.Sentence = "Not decided yet: the request waits to be dialled."
	}
	return !r.first.IsZero(), nil
}

// addStored adds the request itself, and what has closed it.
func (s *Story) addStored(ctx context.Context, store Store, r *Request) error {
	m, found, err := store.Request(ctx, r.ID)
	if err != nil {
		return err
	}
	if found {
		var stored event.Request
		if stored.Decode(m.Data) == nil {
			r.Route, r.Config = stored.Route, stored.Config
			r.To = event.Phone(event.Item{Request: &stored}.CallTo())
		}
		r.note(m)
		s.Steps = append(s.Steps, Step{At: m.At, Kind: "requested", Route: r.Route, Text: "a call was requested" + by(r.Config)})
	}
	m, found, err = store.Closed(ctx, r.ID)
	if found {
		s.Steps = append(s.Steps, Step{At: m.At, Kind: "closed", Route: r.Route, Text: "it was decided that the event makes no call of this route, whenever it comes again"})
	}
	return err
}

func by(config string) string {
	if config == "" {
		return ""
	}
	return ", by the configuration " + config
}

func (s *Story) addResult(r *Request, m archive.Message) {
	var result event.Result
	r.note(m)
	if event.Unmarshal(m.Data, &result) != nil {
		s.Steps = append(s.Steps, Step{At: m.At, Kind: "result", Route: r.Route, Text: "a result that cannot be read"})
		return
	}
	r.Route, r.Outcome, r.Reason, r.Sentence = result.Route, result.Outcome, result.Reason, Sentence(result)
	if result.Config != "" {
		r.Config = result.Config
	}
	if to := (event.Item{Result: &result}).CallTo(); to != "" {
		r.To = event.Phone(to)
	}
	s.Steps = append(s.Steps, Step{
		At: m.At, Kind: "result", Route: r.Route, Text: fmt.Sprintf("%s (%s)%s", result.Outcome, result.Reason, after(result)), Gates: result.Gates,
	})
}

// note keeps the time of the first message about a request.
func (r *Request) note(m archive.Message) {
	if r.first.IsZero() || m.At.Before(r.first) {
		r.first = m.At
	}
}
