package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/field"
	"callbridge/mapping/lookups"
	"callbridge/mapping/payload"
	"callbridge/mapping/rule"
	"callbridge/policy"
	"callbridge/untrusted"
)

// Explanation says why an event leads to its decisions, for `callbridge map`:
// for example, why a lead was not called. Phone numbers are masked; see Reveal.
type Explanation struct {
	// Event is without its payload.
	Event event.Event `json:"event"`
	// Problem says why the event cannot be read (bad_event).
	Problem string `json:"problem,omitempty"`
	// Lookup is nil if the source asks nothing about the event.
	Lookup    *LookupTrace   `json:"lookup,omitempty"`
	Fields    []FieldTrace   `json:"fields"`
	Routes    []RouteTrace   `json:"routes"`
	Decisions []CallDecision `json:"decisions"`
}

// FieldTrace is one name with its value in the event.
type FieldTrace struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Optional bool   `json:"optional,omitempty"`
	// State is there, missing, unreadable, or awaited: from a lookup that has
	// not been made.
	State string `json:"state"`
	// Value is the value as metadata takes it.
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
	// Parts are the parts of the rule between &&, || and !, with their values, and the
	// fields that the route asks beside it.
	Parts []rule.Part `json:"parts,omitempty"`
	// Undecided are the fields that an undecided rule depends on.
	Undecided []string `json:"undecided,omitempty"`
	Problem   string   `json:"problem,omitempty"`
}

// LookupTrace is the lookup of an event.
type LookupTrace struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
	// State is made, awaited, or needless: no decision depends on it.
	State string `json:"state"`

	revealed *lookups.Request
}

// CallDecision is a Decision with masked numbers: the body of the call, or why
// there is none.
type CallDecision struct {
	Route   string          `json:"route,omitempty"`
	Outcome string          `json:"outcome"` // requested, deferred, skipped or rejected
	Reason  event.Reason    `json:"reason,omitempty"`
	Field   string          `json:"field,omitempty"`
	Detail  string          `json:"detail,omitempty"`
	To      event.Phone     `json:"to,omitempty"`
	Call    json.RawMessage `json:"call,omitempty"`
	// Policy is what the policy says about the call, if it was asked.
	Policy *Judgement `json:"policy,omitempty"`
	// Cut are the texts of the call that were longer than their maximum.
	Cut []call.Cut `json:"cut,omitempty"`

	revealed json.RawMessage
}

// BodyPath is a path into the body of a webhook as path: of a field takes it.
func BodyPath(path string) string { return field.BodyPath(path) }

var stateNames = map[field.State]string{
	field.Present: "there", field.Missing: "missing", field.Unreadable: "unreadable", field.Pending: "awaited",
}

// Explain does what Map does and says why. It is some hundred times slower.
func (c *Config) Explain(in Incoming) Explanation {
	x := Explanation{Event: in.Event, Fields: []FieldTrace{}, Routes: []RouteTrace{}}
	x.Event.Data = nil // it has unmasked numbers
	for _, d := range c.Map(in) {
		x.Decisions = append(x.Decisions, traceDecision(d))
	}
	source, known := c.sources[in.Event.Source]
	if in.Err != nil {
		x.Problem = in.Err.Error()
	}
	if !known || in.Err != nil {
		return x
	}
	values, request := source.values(in)
	if request != nil {
		x.Lookup = traceLookup(request, in.answered, c.isPending(source, values))
	}
	x.Event.Type, x.Event.Time = values.Event.Type, values.Event.Time
	for _, name := range source.names.Names() {
		x.Fields = append(x.Fields, source.traceField(values, name))
	}
	stopped := source.tooOld(values) != nil
	for _, b := range c.bySource[source.name] {
		trace := b.trace(values)
		if stopped {
			trace.State = "not_reached"
		}
		_, takes := b.decide(values)
		stopped = stopped || takes && b.route.Stop
		x.Routes = append(x.Routes, trace)
	}
	return x
}

func traceDecision(d Decision) CallDecision {
	call := CallDecision{Route: d.Route, To: d.To, Outcome: "requested", Cut: d.Cuts, Policy: d.Judged()}
	if d.Request != nil {
		call.revealed = d.Request.Call
		if d.Verdict.Action == policy.Wait {
			call.Outcome, call.Reason, call.Detail = "deferred", event.Reason(d.Verdict.Reason), d.Verdict.Detail
		}
	} else {
		call.Outcome, call.Reason = string(d.Result.Outcome), d.Result.Reason
		call.Field, call.Detail, call.revealed = d.Result.Field, d.Result.Detail, d.Result.Request
	}
	call.Call = maskCall(call.revealed)
	return call
}

// maskCall masks the numbers of a call in every text of it.
func maskCall(text json.RawMessage) json.RawMessage {
	var body call.Body
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&body) != nil {
		return nil
	}
	body.CallTo, body.CallFrom = event.Phone(body.CallTo).String(), event.Phone(body.CallFrom).String()
	body.Notes = untrusted.Redact(body.Notes)
	for name, text := range body.Variables {
		body.Variables[name] = untrusted.Redact(text)
	}
	body.Metadata, _ = masked(body.Metadata).(map[string]any)
	written, err := payload.Encode(body)
	if err != nil {
		return nil
	}
	return written
}

// masked masks numbers in texts. JSON numbers keep their digits, since they are
// ids.
func masked(v payload.Value) payload.Value { return untrusted.EachText(v, untrusted.Redact) }

func (s *Source) traceField(values *field.Values, name string) FieldTrace {
	value := values.Get(name)
	trace := FieldTrace{
		Name: name, Type: s.names.TypeOf(name), Optional: s.names.IsOptional(name),
		State: stateNames[value.State], Detail: value.Detail,
	}
	if value.State != field.Present {
		return trace
	}
	if name == s.names.Timezone && values.Location(name) == nil {
		trace.Detail = "not a time zone: times are said in the zone in which the CRM sent them"
	}
	trace.revealed = value.JSON()
	trace.Value = trace.revealed
	if text, ok := trace.Value.(string); ok && trace.Type != field.TypeTime {
		trace.Value = untrusted.Redact(text)
	}
	return trace
}

// Reveal returns the explanation with unmasked numbers.
func (x Explanation) Reveal() Explanation {
	x.Fields, x.Decisions = slices.Clone(x.Fields), slices.Clone(x.Decisions)
	if x.Lookup != nil {
		whole := *x.Lookup
		whole.URL, whole.Body = whole.revealed.URL, string(whole.revealed.Body)
		x.Lookup = &whole
	}
	for i, field := range x.Fields {
		x.Fields[i].Value = field.revealed
	}
	for i, decision := range x.Decisions {
		x.Decisions[i].Call = decision.revealed
	}
	return x
}

func traceLookup(request *lookups.Request, answered, isPending bool) *LookupTrace {
	t := &LookupTrace{
		Method: request.Method, URL: untrusted.Redact(request.URL), Body: untrusted.Redact(string(request.Body)),
		State: "needless", revealed: request,
	}
	switch {
	case answered:
		t.State = "made"
	case isPending:
		t.State = "awaited"
	}
	return t
}

// trace evaluates a rule with the value of each part.
func (b *binding) trace(values *field.Values) RouteTrace {
	t := RouteTrace{Route: b.route.Name, Mode: b.route.Mode, When: strings.TrimSpace(b.route.When)}
	if !b.route.Enabled {
		t.State = "disabled"
		return t
	}
	verdict, names, err := b.rule.Evaluate(values)
	switch {
	case err != nil:
		t.State, t.Problem = "failed", untrusted.Redact(err.Error())
	case verdict == rule.Match:
		t.State = "matched"
	case verdict == rule.Undecided:
		t.State, t.Undecided = "undecided", names
	default:
		t.State = "not_matched"
	}
	t.Parts = append(b.rule.Parts(values), b.route.consent.Parts(values)...)
	return t
}
