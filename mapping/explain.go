package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"callbridge/event"
	"callbridge/mapping/payload"
)

// Explanation is why an event leads to the calls it leads to: the answer to
// "why was this lead not called". Numbers in it are masked; see Reveal.
type Explanation struct {
	// Event is without its payload.
	Event event.Event `json:"event"`
	// Problem says why the event cannot be read (bad_event).
	Problem string `json:"problem,omitempty"`
	// Lookup is nil where the source asks nothing about the event.
	Lookup    *LookupTrace   `json:"lookup,omitempty"`
	Fields    []FieldTrace   `json:"fields"`
	Routes    []RouteTrace   `json:"routes"`
	Decisions []CallDecision `json:"decisions"`
}

// FieldTrace is one name with what it holds in the event.
type FieldTrace struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Optional bool   `json:"optional,omitempty"`
	// State is there, missing, unreadable, or awaited: the look-up will tell.
	State string `json:"state"`
	// Value is what metadata would get.
	Value any `json:"value,omitempty"`
	// Detail says why there is no value.
	Detail string `json:"detail,omitempty"`

	revealed any
}

// RouteTrace is one route of the event's source.
type RouteTrace struct {
	Route string `json:"route"`
	Mode  Mode   `json:"mode"`
	// State is matched, not_matched, undecided, failed, disabled, or
	// not_reached after a route with stop.
	State string `json:"state"`
	When  string `json:"when,omitempty"`
	// Parts are the parts of the rule between &&, || and !, each with true,
	// false, or what keeps it from being either.
	Parts []RulePart `json:"parts,omitempty"`
	// Undecided are the fields that an undecided rule hangs on.
	Undecided []string `json:"undecided,omitempty"`
	Problem   string   `json:"problem,omitempty"`
}

// RulePart is a part of a rule and its value.
type RulePart struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// CallDecision is a Decision for people: the body of the call with masked
// numbers, or why there is none.
type CallDecision struct {
	Route   string          `json:"route,omitempty"`
	Outcome string          `json:"outcome"` // requested, skipped or rejected
	Reason  event.Reason    `json:"reason,omitempty"`
	Field   string          `json:"field,omitempty"`
	Detail  string          `json:"detail,omitempty"`
	To      event.Phone     `json:"to,omitempty"`
	Call    json.RawMessage `json:"call,omitempty"`

	revealed json.RawMessage
}

var stateNames = map[state]string{there: "there", missing: "missing", unreadable: "unreadable", awaited: "awaited"}

// Explain does what Map does and says why. It is for people: some hundred
// times slower than Map.
func (c *Config) Explain(in Incoming) Explanation {
	x := Explanation{Event: in.Event, Fields: []FieldTrace{}, Routes: []RouteTrace{}}
	x.Event.Data = nil // the payload holds whole numbers
	for _, d := range c.Map(in) {
		x.Decisions = append(x.Decisions, explained(d))
	}
	source, known := c.sources[in.Event.Source]
	if in.Err != nil {
		x.Problem = in.Err.Error()
	}
	if !known || in.Err != nil {
		return x
	}
	r := source.reader(in)
	x.Lookup = c.traceLookup(in, r)
	x.Event.Type, x.Event.Time = r.event.Type, r.event.Time
	for _, name := range source.names() {
		x.Fields = append(x.Fields, traceField(r, name))
	}
	stopped := source.tooOld(r) != nil
	for _, b := range c.bySource[source.name] {
		trace := b.trace(r)
		if stopped {
			trace.State = "not_reached"
		}
		_, takes := b.decide(r)
		stopped = stopped || takes && b.route.Stop
		x.Routes = append(x.Routes, trace)
	}
	return x
}

func explained(d Decision) CallDecision {
	call := CallDecision{Route: d.Route, To: d.To, Outcome: "requested"}
	if d.Request != nil {
		call.revealed = d.Request.Call
	} else {
		call.Outcome, call.Reason = string(d.Result.Outcome), d.Result.Reason
		call.Field, call.Detail, call.revealed = d.Result.Field, d.Result.Detail, d.Result.Request
	}
	call.Call = maskCall(call.revealed)
	return call
}

// maskCall masks the numbers of a call in every text of it.
func maskCall(body json.RawMessage) json.RawMessage {
	var call createCall
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&call) != nil {
		return nil
	}
	call.CallTo, call.CallFrom = event.Phone(call.CallTo).String(), event.Phone(call.CallFrom).String()
	call.Notes = event.Redact(call.Notes)
	for name, text := range call.Variables {
		call.Variables[name] = event.Redact(text)
	}
	call.Metadata, _ = masked(call.Metadata).(map[string]any)
	text, err := payload.Encode(call)
	if err != nil {
		return nil
	}
	return text
}

// masked masks texts. Numbers of JSON keep their digits: they are ids.
func masked(v payload.Value) payload.Value {
	switch v := v.(type) {
	case string:
		return event.Redact(v)
	case map[string]any:
		for key, member := range v {
			v[key] = masked(member)
		}
	case []any:
		for i, item := range v {
			v[i] = masked(item)
		}
	}
	return v
}

func traceField(r *reader, name string) FieldTrace {
	value := r.read(name)
	trace := FieldTrace{
		Name: name, Type: r.source.kindOf(name), Optional: r.source.optional(name),
		State: stateNames[value.state], Detail: value.detail,
	}
	if value.state != there {
		return trace
	}
	trace.revealed = value.json()
	trace.Value = trace.revealed
	if text, ok := trace.Value.(string); ok && trace.Type != typeTime {
		trace.Value = event.Redact(text)
	}
	return trace
}

// Reveal returns the explanation with whole numbers.
func (x Explanation) Reveal() Explanation {
	x.Fields, x.Decisions = slices.Clone(x.Fields), slices.Clone(x.Decisions)
	x.Lookup = x.Lookup.reveal()
	for i, field := range x.Fields {
		x.Fields[i].Value = field.revealed
	}
	for i, decision := range x.Decisions {
		x.Decisions[i].Call = decision.revealed
	}
	return x
}

// trace evaluates a rule part by part.
func (b *binding) trace(r *reader) RouteTrace {
	t := RouteTrace{Route: b.route.Name, Mode: b.route.Mode, When: strings.TrimSpace(b.route.When)}
	if !b.route.Enabled {
		t.State = "disabled"
		return t
	}
	verdict, fields, err := b.rule.evaluate(r)
	switch {
	case err != nil:
		t.State, t.Problem = "failed", event.Redact(err.Error())
	case verdict == match:
		t.State = "matched"
	case verdict == undecided:
		t.State, t.Undecided = "undecided", fields
	default:
		t.State = "not_matched"
	}
	t.Parts = b.rule.parts(r)
	return t
}
