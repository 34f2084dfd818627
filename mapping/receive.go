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
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/lookups"
	"callbridge/mapping/payload"
	"callbridge/signature"
)

// Delivery is a webhook as it was received.
type Delivery struct {
	Method string
	URL    *url.URL
	Header http.Header
	// Body has the bytes that the sender signed. They must not be changed
	// afterwards: events are parts of them.
	Body []byte
	// Received is when the delivery came in, and the current time of mapping.
	Received time.Time
}

// Incoming is one event of a delivery.
type Incoming struct {
	Event event.Event
	// Err says why the event cannot be mapped (bad_event); other events of its
	// delivery can. Map makes one rejected result of it.
	Err error

	// input is nil for an event that came from the bus.
	input       *field.Input
	timeProblem string
	// kept is what Suspend returned of a delivery that is no longer available.
	kept map[string]any
	// answer is the answer of the lookup, if answered.
	answer   payload.Value
	answered bool
}

// ErrTooManyEvents is a delivery with more events than the source's max_events.
var ErrTooManyEvents = errors.New("too many events in one delivery")

// ErrTooLarge is a delivery whose events have more than maxStored bytes together.
var ErrTooLarge = errors.New("the events of one delivery are too large")

// maxStored bounds what is stored of the events of one delivery: keep: adds parts of the
// delivery to each of them. It is eight times the largest body.
const maxStored = 8 << 20

// Receive verifies a delivery and returns its events. The error is a
// *signature.Failure (401), payload.ErrUnsupported (415), a *payload.SyntaxError
// (400), ErrTooManyEvents (400) or ErrTooLarge (413).
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

// Read is Receive without verification, for `callbridge map` and for tests. A
// delivery that the source ignores, such as a ping, has no events.
func (s *Source) Read(d Delivery) ([]Incoming, error) {
	root, err := s.decode(d)
	if err != nil || s.ignores(root) {
		return nil, err
	}
	bodies, err := s.envelope.open(root)
	if err != nil {
		return nil, err
	}
	if len(bodies) == 0 {
		in := s.incoming(d, root, s.envelope.withKept(root, nil))
		in.Err = fmt.Errorf("no event at split: %s", s.envelope.split)
		return []Incoming{in}, nil
	}
	return s.split(d, root, bodies)
}

// split makes the events of a delivery. It stops at the event with which they have more
// than maxStored bytes, before it encodes the others.
func (s *Source) split(d Delivery, root payload.Value, bodies []payload.Value) ([]Incoming, error) {
	events := make([]Incoming, 0, len(bodies))
	size := 0
	for i, body := range bodies {
		in := s.incoming(d, root, body)
		if i == 0 && len(bodies) > 1 && s.lookups.Exist() {
			// What Suspend keeps of the delivery is the same for each of its events.
			kept, err := payload.Encode(s.names.DeliveryValues(s.version, in.input))
			if err != nil {
				return nil, fmt.Errorf("encode what is kept of the delivery: %w", err)
			}
			size = len(kept) * len(bodies)
		}
		if size += len(in.Event.Data); size > maxStored && len(bodies) > 1 {
			return nil, fmt.Errorf("%w: %d events have more than %d bytes together; keep less of the delivery, or send fewer events in one",
				ErrTooLarge, len(bodies), maxStored)
		}
		events = append(events, in)
	}
	return events, nil
}

func (s *Source) decode(d Delivery) (payload.Value, error) {
	if s.format == payload.CloudEvents {
		return payload.DecodeCloudEvent(s.attributes(d.Header), d.Body)
	}
	contentType := d.Header.Get("Content-Type")
	if s.covered.Signs && strings.Contains(contentType, ";") {
		return s.decodeSigned(contentType, d.Body)
	}
	return payload.Decode(contentType, s.format, d.Body)
}

// incoming makes the event with its identity, type and time.
func (s *Source) incoming(d Delivery, root, body payload.Value) Incoming {
	input := &field.Input{Body: body, Root: root, Header: d.Header, URL: d.url(), NullWords: s.nullWords, KeepPlaceholders: s.defaults.KeepPlaceholders}
	in := Incoming{input: input, Event: event.Event{Source: s.name, Received: d.Received}}
	in.Event.Data, in.Err = s.data(d, body)
	key, ok := s.identity(input)
	if !ok {
		// Not the time: a repeated delivery has to be the same event.
		key = "sha256:" + input.Digest()
		in.Err = errors.New("the event has nothing that key: names" + s.shape(body))
	}
	in.Event.Key, in.Event.ID = key, event.EventID(s.name, key)
	s.readTypeAndTime(&in, input)
	return in
}

// shape says what a body is that has no value at any path into an object.
func (s *Source) shape(body payload.Value) string {
	switch body := body.(type) {
	case []any:
		if s.envelope.split != nil {
			return ": split leads to a list; write " + config.Quoted(s.envelope.split.String()+"[*]") + ", so that each of its items is an event"
		}
		return `: the body is a list; write split: "[*]", so that each of its items is an event`
	case string:
		if payload.IsJSONText(body) {
			return ": the body is a text with JSON inside; have the CRM send the JSON itself"
		}
	}
	return ""
}

// readTypeAndTime fills in the event's type and time, unless they are known already.
func (s *Source) readTypeAndTime(in *Incoming, input *field.Input) {
	if in.Event.Type == "" {
		in.Event.Type, _ = s.names.Type.Dotted(input)
	}
	if text, ok := s.names.Time.Text(input); ok && in.Event.Time.IsZero() {
		location, problem := s.defaults.Zone.Location(input)
		switch in.Event.Time, ok = field.ParseTime(text, s.timeFormats, location); {
		case problem != "":
			in.timeProblem, in.Event.Time = problem, time.Time{}
		case !ok:
			in.timeProblem = "found " + field.Describe(text) + " where time belongs" + field.TimeHint(text, s.timeFormats)
		}
	}
}

// data returns the event as JSON. A delivery in plain JSON that is one event is
// passed on as received: encoding its tree would take as long as decoding it.
func (s *Source) data(d Delivery, body payload.Value) (json.RawMessage, error) {
	contentType := strings.ToLower(d.Header.Get("Content-Type"))
	isJSON := contentType == "application/json" || contentType == "application/json; charset=utf-8"
	isUnchanged := s.envelope.split == nil && s.envelope.hidden == nil && s.envelope.credentials == nil
	if isJSON && isUnchanged && (s.format == payload.Auto || s.format == payload.JSON) {
		return bytes.TrimPrefix(bytes.TrimSpace(d.Body), []byte("\xef\xbb\xbf")), nil
	}
	return payload.Encode(body)
}

func (d Delivery) url() *url.URL {
	if d.URL == nil {
		return &url.URL{Path: "/"}
	}
	return d.URL
}

// values returns the field values of an event and, if it needs one, its lookup
// request. Without the answer, values that depend on it are pending.
func (s *Source) values(in Incoming) (*field.Values, *lookups.Request) {
	fromBus := in.input == nil
	if fromBus {
		in.input = s.storedInput(in)
	}
	if !s.lookups.Exist() {
		return s.names.Values(in.Event, in.input, in.timeProblem), nil
	}
	input := *in.input
	request, refused := s.lookups.Request(s.names.Values(in.Event, in.input, in.timeProblem))
	switch {
	case in.answered:
		input.Answer = in.answer
	case request != nil:
		input.Pending = true
	case refused != nil:
		input.NoLookup = refused.Field + ": " + refused.Detail
	default:
		input.NoLookup = "the source asks none for such an event"
	}
	if in.answered || fromBus {
		s.readTypeAndTime(&in, &input)
	}
	return s.names.Values(in.Event, &input, in.timeProblem), request
}

// storedInput is the input of an event that came from the bus, which has stored
// its payload but not its delivery.
func (s *Source) storedInput(in Incoming) *field.Input {
	body, err := payload.Decode("application/json", payload.JSON, in.Event.Data)
	if err != nil {
		body = nil
	}
	input := &field.Input{Body: body, Root: body, URL: &url.URL{}, Kept: in.kept, NullWords: s.nullWords, KeepPlaceholders: s.defaults.KeepPlaceholders}
	if s.envelope.split != nil && in.kept != nil {
		input.Root = nil // the delivery, of which only kept is available
	}
	return input
}
