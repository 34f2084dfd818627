package mapping

import (
	"slices"
	"strconv"
	"time"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
	"callbridge/mapping/rule"
	"callbridge/policy"
	"callbridge/untrusted"
)

// Decision is the result of one route, or of the mapping as a whole, for an event:
// a call to request, or a result that says why there is none.
type Decision struct {
	// Exactly one of Request and Result is set.
	Request *event.Request
	Result  *event.Result
	// Route is empty for a result of the event as a whole.
	Route string
	// To is the number to dial, if it is known.
	To event.Phone
	// Cuts are the texts of the call that were longer than their maximum.
	Cuts []call.Cut
	// Verdict is what the policy says about the call at the time of the webhook, as far as
	// the event alone says it. It is zero if the decision was made before.
	Verdict policy.Verdict
}

// item returns the part of the decision that the bus stores.
func (d Decision) item() event.Item {
	item := event.Item{Request: d.Request, Result: d.Result}
	switch {
	case d.Request != nil || d.Result.Reason == event.Reason(d.Verdict.Reason):
		item.Verdict = event.Verdict{Action: string(d.Verdict.Action), Gate: event.Reason(d.Verdict.Reason), Until: d.Verdict.Until}
	case d.Result.Outcome == event.Skipped && (d.Result.Reason == event.ReasonNoConsent || d.Result.Reason == event.ReasonDoNotCall):
		item.Verdict = event.Verdict{Action: string(policy.Skip), Gate: d.Result.Reason}
	}
	return item
}

// Map decides what to do about an event: one decision per route that matches or
// cannot be decided, or one for the event if there is none. It is never
// empty. The event may come from the bus; of its delivery, only what Suspend
// returned is available then. Values of a lookup that was not made are missing.
func (c *Config) Map(in Incoming) []Decision {
	source, known := c.sources[in.Event.Source]
	switch {
	case in.Err != nil:
		return []Decision{rejected(in.Event, "", field.Refusal{Reason: event.ReasonBadEvent, Detail: in.Err.Error()})}
	case !known:
		return []Decision{rejected(in.Event, "", field.Refusal{
			Reason: event.ReasonBadEvent, Detail: "the configuration has no source " + strconv.Quote(in.Event.Source),
		})}
	}
	values, _ := source.values(in)
	if tooOld := source.tooOld(values); tooOld != nil {
		for _, b := range c.bySource[source.name] {
			tooOld.Result.Closes = append(tooOld.Result.Closes, b.route.Name)
		}
		return []Decision{*tooOld}
	}
	var decisions []Decision
	for _, b := range c.bySource[source.name] {
		decision, takes := b.decide(values)
		if takes {
			decisions = append(decisions, b.settle(decision, decisions))
		}
		if takes && b.route.Stop {
			break
		}
	}
	if len(decisions) == 0 {
		return []Decision{skipped(in.Event, "", event.ReasonNoRoute, "no route wants this event")}
	}
	c.identify(decisions, values)
	return decisions
}

// maxAhead is how far in the future an event may be: a clock that is wrong, or a
// local time that was read as UTC (UTC+14 is the farthest zone). Beyond it, an event
// would be new for ever.
const maxAhead = 15 * time.Hour

// tooOld compares the CRM's time with the time when the webhook came in. An event
// without a readable time is rejected.
func (s *Source) tooOld(values *field.Values) *Decision {
	if s.maxAge == 0 {
		return nil
	}
	happened := values.Get(field.NameTime)
	if happened.State != field.Present {
		d := rejected(values.Event, "", *values.Refuse(field.NameTime))
		return &d
	}
	age := values.Event.Received.Sub(happened.Time())
	if age < -maxAhead {
		d := rejected(values.Event, "", field.Refusal{
			Reason: event.ReasonBadField, Field: field.NameTime, Detail: "the time is in the future: look at time_format and zone",
		})
		return &d
	}
	if age > s.maxAge {
		d := skipped(values.Event, "", event.ReasonTooOld, "the event is older than "+s.maxAge.String())
		return &d
	}
	return nil
}

// decide returns the route's decision, or false if the rule does not match. An
// undecided rule rejects the event, unless it depends only on optional fields without
// a value (missing or unreadable): then it does not match.
func (b *binding) decide(values *field.Values) (Decision, bool) {
	if !b.route.Enabled {
		return Decision{}, false
	}
	verdict, names, err := b.rule.Evaluate(values)
	switch {
	case err != nil:
		return rejected(values.Event, b.route.Name, field.Refusal{
			Reason: event.ReasonRuleFailed, Detail: untrusted.Redact("evaluate rule: " + err.Error()),
		}), true
	case verdict == rule.NoMatch:
		return Decision{}, false
	case verdict == rule.Undecided:
		i := slices.IndexFunc(names, func(name string) bool {
			return !values.IsOptional(name) || values.Get(name).State == field.Pending
		})
		if i < 0 {
			return Decision{}, false
		}
		return rejected(values.Event, b.route.Name, *values.Refuse(names[i])), true
	}
	return b.request(values), true
}

// request makes the call and checks whether the person and the route's mode allow it.
func (b *binding) request(values *field.Values) Decision {
	route := b.route
	id := event.RequestID(values.Event.ID, route.Name)
	made, refused := b.call.Build(values, id.String())
	if refused == nil {
		refused = b.permits(values, made.CallTo)
	}
	if refused != nil {
		return rejected(values.Event, route.Name, *refused)
	}
	why, outcome := route.consent.Refuses(values)
	if outcome == event.Rejected {
		return rejected(values.Event, route.Name, *why)
	}
	route.consent.Prove(made.Metadata, values)
	body, err := payload.Encode(made)
	if err != nil {
		return rejected(values.Event, route.Name, field.Refusal{Reason: event.ReasonBadCall, Detail: err.Error()})
	}
	if refused := made.Refuse(body); refused != nil {
		return rejected(values.Event, route.Name, *refused)
	}
	to := event.Phone(made.CallTo)
	if why != nil {
		d := withoutCall(values.Event, route.Name, outcome, *why)
		d.To, d.Cuts, d.Result.Request = to, made.Cuts, body
		return d
	}
	request := &event.Request{ID: id, Route: route.Name, Call: body, Event: values.Event}
	b.describe(request, values)
	d := route.conclude(request, to)
	if d.To, d.Cuts = to, made.Cuts; d.Result != nil {
		d.Result.Request = body
	}
	return d
}

// describe adds what the event says about the person. Where the person is may need a
// lookup; none is made only for this if no hours depend on it.
func (b *binding) describe(r *event.Request, values *field.Values) {
	if b.route.consent.IsAsked() {
		r.Consent = string(policy.Yes) // another answer has refused the event
	}
	if !values.Input.Pending || b.route.Policy.NeedsPlace(b.route.purpose()) {
		r.Person = b.source.person.Of(values)
	}
}

// conclude decides about a request by the policy and the mode of the route. A dry run says
// what the policy would do.
func (r *Route) conclude(request *event.Request, to event.Phone) Decision {
	verdict := r.judge(request, to, request.Event.Received)
	var d Decision
	switch {
	case verdict.Action == policy.Skip:
		d = skipped(request.Event, r.Name, event.Reason(verdict.Reason), verdict.Detail)
	case r.Mode == DryRun:
		d = skipped(request.Event, r.Name, event.ReasonDryRun, "the route is in dry_run: nobody was called"+would(verdict))
	case r.Mode == AllowList && !slices.Contains(r.allow, to.Reveal()):
		d = skipped(request.Event, r.Name, event.ReasonNotAllowed, "the number "+to.String()+" is not on the route's list"+would(verdict))
	default:
		d = Decision{Route: r.Name, Request: request}
	}
	d.Verdict = verdict
	return d
}

// permits returns why the number, of a field or of the route itself, must not be
// dialled.
func (b *binding) permits(values *field.Values, to string) *field.Refusal {
	if name := b.call.To(); name != "" {
		refused := b.route.permits(*values.Get(name).Phone)
		if refused != nil {
			refused.Field = name
		}
		return refused
	}
	number, err := phone.Parse(to, phone.Options{})
	if err != nil {
		return &field.Refusal{Reason: event.ReasonBadPhone, Detail: err.Error()}
	}
	return b.route.permits(number)
}

func rejected(e event.Event, route string, why field.Refusal) Decision {
	return withoutCall(e, route, event.Rejected, why)
}

func skipped(e event.Event, route string, reason event.Reason, detail string) Decision {
	return withoutCall(e, route, event.Skipped, field.Refusal{Reason: reason, Detail: detail})
}

// withoutCall makes a result. One that skips has the id of the request that is not
// made; one that rejects has an id of its own, because a request of the mended event
// may follow it.
func withoutCall(e event.Event, route string, outcome event.Outcome, why field.Refusal) Decision {
	id := event.RequestID(e.ID, route)
	if outcome == event.Rejected {
		id = event.RejectionID(e.ID, route, why.Reason, why.Field, "")
	}
	return Decision{Route: route, Result: &event.Result{
		RequestID: id, Outcome: outcome,
		Reason: why.Reason, Field: why.Field, Detail: why.Detail,
		Route: route, Event: e, Time: e.Received,
	}}
}
