package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/signature"
)

// Delivery is a webhook as it came in.
type Delivery struct {
	Method string
	URL    *url.URL
	Header http.Header
	// Body is what the sender signed, byte for byte. It must not be changed
	// any more: events are parts of it.
	Body []byte
	// Received is when it came in: the only clock that mapping knows.
	Received time.Time
}

// Incoming is one event of a delivery.
type Incoming struct {
	Event event.Event
	// Err says why the event cannot be mapped (bad_event); the others of its
	// batch can. Map makes one rejected result of it.
	Err error

	material    *material
	timeProblem string
	// kept is what Waiting saved of a delivery that is gone.
	kept map[string]any
	// answer is what the look-up brought, if it was made.
	answer   payload.Value
	answered bool
}

// ErrTooManyEvents is a delivery with more events than the source's max_events.
var ErrTooManyEvents = errors.New("too many events in one delivery")

// Receive returns the events of a delivery that its sender has proved to be
// his: what was not verified cannot be had. The error is a *signature.Failure
// (401), payload.ErrUnsupported (415), a *payload.SyntaxError (400) or
// ErrTooManyEvents (400).
func (s *Source) Receive(d Delivery) ([]Incoming, error) {
	if s.verifier == nil {
		return nil, &signature.Failure{
			Kind: "none", Reason: signature.ReasonMissing, Detail: "the source was loaded without its secrets",
		}
	}
	request := signature.Request{Method: d.Method, URI: d.url().RequestURI(), Header: d.Header, Body: d.Body}
	if err := s.verifier.Verify(request, d.Received); err != nil {
		return nil, err
	}
	return s.Read(d)
}

// Read is Receive without the proof, for `callbridge map` and for tests. A
// delivery that the source ignores, such as a ping, has no events.
func (s *Source) Read(d Delivery) ([]Incoming, error) {
	root, err := s.decode(d)
	if err != nil || s.ignores(root) {
		return nil, err
	}
	s.conceal(root)
	if s.split == nil {
		return []Incoming{s.incoming(d, root, root)}, nil
	}
	bodies := s.split.All(root)
	if len(bodies) > s.maxEvents {
		return nil, fmt.Errorf("%w: %d, and max_events is %d", ErrTooManyEvents, len(bodies), s.maxEvents)
	}
	if len(bodies) == 0 {
		in := s.incoming(d, root, s.enclose(root, nil))
		in.Err = fmt.Errorf("no event at split: %s", s.split)
		return []Incoming{in}, nil
	}
	events := make([]Incoming, len(bodies))
	for i, body := range bodies {
		events[i] = s.incoming(d, root, s.enclose(root, body))
	}
	return events, nil
}

// incoming names one event: its key, type and time.
func (s *Source) incoming(d Delivery, root, body payload.Value) Incoming {
	m := &material{
		body: body, root: root, header: d.Header, url: d.url(), nullWords: s.nullWords,
	}
	in := Incoming{material: m, Event: event.Event{Source: s.name, Received: d.Received}}
	in.Event.Data, in.Err = s.data(d, body)
	key, ok := s.key.text(m)
	if !ok {
		// Not our clock: the same delivery again must be the same event.
		key = "sha256:" + m.digest(&lookup{name: fromBody})
		in.Err = errors.New("the event has nothing that key: names")
	}
	in.Event.Key, in.Event.ID = key, event.EventID(s.name, key)
	s.classify(&in, m)
	return in
}

// classify reads the event's type and time, as far as they are not known.
func (s *Source) classify(in *Incoming, m *material) {
	if in.Event.Type == "" {
		in.Event.Type, _ = s.kind.dotted(m)
	}
	if text, ok := s.moment.text(m); ok && in.Event.Time.IsZero() {
		if in.Event.Time, ok = parseTime(text, s.timeFormats); !ok {
			in.timeProblem = "found " + describe(text) + " where time belongs"
		}
	}
}

// data is the event as JSON. A delivery that is one event in plain JSON is it
// already; to write the tree anew would take as long as reading it.
func (s *Source) data(d Delivery, body payload.Value) (json.RawMessage, error) {
	contentType := strings.ToLower(d.Header.Get("Content-Type"))
	plain := contentType == "application/json" || contentType == "application/json; charset=utf-8"
	if asked := s.form == payload.Auto || s.form == payload.JSON; plain && asked && s.split == nil && s.hidden == nil {
		return bytes.TrimPrefix(bytes.TrimSpace(d.Body), []byte("\xef\xbb\xbf")), nil
	}
	return payload.Encode(body)
}

// replayed is the material of an event that came from the bus: its delivery
// is gone, its payload is not.
func (s *Source) replayed(in Incoming) *material {
	body, err := payload.Decode("application/json", payload.JSON, in.Event.Data)
	if err != nil {
		body = nil
	}
	m := &material{body: body, root: body, url: &url.URL{}, kept: in.kept, nullWords: s.nullWords}
	if s.split != nil && in.kept != nil {
		m.root = nil // the delivery, not the event
	}
	return m
}

func (d Delivery) url() *url.URL {
	if d.URL == nil {
		return &url.URL{Path: "/"}
	}
	return d.URL
}

func normal(word string) string { return strings.ToLower(strings.TrimSpace(word)) }
