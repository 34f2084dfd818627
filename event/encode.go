package event

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Every webhook is written to the bus twice, as a request and within its
// result, with its payload in it. encoding/json reads a json.RawMessage anew
// wherever it stands, several times where one is in another. These write the
// same JSON in one pass; a test holds both against each other. The raw parts
// must be JSON, which all that comes out of a decoder is.

// Encode is the JSON of the request as it stands on the bus.
func (r Request) Encode() ([]byte, error) { return r.Append(nil) }

// Append is Encode behind what stands in b.
func (r Request) Append(b []byte) ([]byte, error) {
	w := newWriter(b, len(r.Call)+len(r.Event.Data))
	w.begin()
	w.id("id", r.ID)
	w.text("route", r.Route)
	w.raw("call", r.Call)
	w.event(r.Event)
	w.end()
	return w.finish("request", r.ID)
}

// Encode is the JSON of the pending event as it stands on the bus.
func (p Pending) Encode() ([]byte, error) { return p.Append(nil) }

// Append is Encode behind what stands in b.
func (p Pending) Append(b []byte) ([]byte, error) {
	w := newWriter(b, len(p.Delivery)+len(p.Event.Data))
	w.begin()
	w.event(p.Event)
	w.raw("delivery", p.Delivery)
	w.end()
	return w.finish("event", p.Event.ID)
}

// Encode is the CloudEvent of the result as it stands on the bus. Its type is
// callbridge.result.<outcome>, its source /callbridge/<source>, its subject
// the request id.
func (r Result) Encode() ([]byte, error) { return r.Append(nil) }

// Append is Encode behind what stands in b.
func (r Result) Append(b []byte) ([]byte, error) {
	w := newWriter(b, len(r.Request)+len(r.Call)+len(r.Event.Data))
	w.begin()
	w.text("specversion", "1.0")
	w.id("id", r.ID())
	w.text("source", sourcePrefix+r.Event.Source)
	w.text("type", typePrefix+string(r.Outcome))
	w.id("subject", r.RequestID)
	w.time("time", r.Time.UTC())
	w.text("traceparent", r.TraceParent)
	w.text("datacontenttype", "application/json")
	w.key("data")
	w.begin()
	w.id("request_id", r.RequestID)
	w.always("outcome", string(r.Outcome))
	w.always("reason", string(r.Reason))
	w.text("detail", r.Detail)
	w.text("field", r.Field)
	w.text("route", r.Route)
	w.number("attempts", r.Attempts)
	w.raw("request", r.Request)
	w.raw("call", r.Call)
	w.event(r.Event)
	w.end()
	w.end()
	return w.finish("result", r.RequestID)
}

// writer appends members to JSON objects. What is empty is left out, but for
// ids and what always says.
type writer struct {
	b   []byte
	err error
}

// roomBeside is what a message needs beside its raw parts.
const roomBeside = 768

// newWriter writes behind what stands in b.
func newWriter(b []byte, raw int) *writer { return &writer{b: slices.Grow(b, raw+roomBeside)} }

func (w *writer) event(e Event) {
	w.key("event")
	w.begin()
	w.id("id", e.ID)
	w.always("source", e.Source)
	w.always("key", e.Key)
	w.text("type", e.Type)
	w.time("time", e.Time)
	w.time("received", e.Received)
	w.raw("data", e.Data)
	w.end()
}

func (w *writer) begin() { w.b = append(w.b, '{') }

func (w *writer) end() { w.b = append(w.b, '}') }

// key begins a member. None of ours needs an escape.
func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), '"', ':')
}

func (w *writer) id(name string, id uuid.UUID) {
	w.key(name)
	w.b = append(AppendID(append(w.b, '"'), id), '"')
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.always(name, value)
	}
}

func (w *writer) always(name, value string) {
	w.key(name)
	if plain(value) {
		w.b = append(append(append(w.b, '"'), value...), '"')
		return
	}
	w.marshal(value)
}

// plain reports whether a text needs no escape.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func (w *writer) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	w.key(name)
	text, err := t.AppendText(append(w.b, '"')) // as strict as MarshalJSON
	if err != nil {
		w.err = cmp.Or(w.err, err)
		return
	}
	w.b = append(text, '"')
}

// marshal leaves a value to encoding/json.
func (w *writer) marshal(value any) {
	text, err := json.Marshal(value)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b = append(w.b, text...)
}

func (w *writer) number(name string, n int) {
	if n != 0 {
		w.key(name)
		w.b = strconv.AppendInt(w.b, int64(n), 10)
	}
}

// raw appends JSON as it is.
func (w *writer) raw(name string, value json.RawMessage) {
	if len(value) > 0 {
		w.key(name)
		w.b = append(w.b, value...)
	}
}

func (w *writer) finish(what string, id uuid.UUID) ([]byte, error) {
	if w.err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", what, id, w.err)
	}
	return w.b, nil
}
