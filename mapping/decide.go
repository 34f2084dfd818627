package mapping

import (
	"slices"

	"callbridge/event"
	"callbridge/mapping/payload"
	"callbridge/mapping/phone"
)

// Decision is what one route, or the mapping as a whole, makes of an event:
// either a call to request or a result that says why there is none.
type Decision struct {
	// Exactly one of Request and Result is set.
	Request *event.Request
	Result  *event.Result
	// Route is empty for a result of the event as a whole.
	Route string
	// To is the number to dial, where it is known.
	To event.Phone
}

// item returns the part of the decision that the bus stores.
func (d Decision) item() event.Item { return event.Item{Request: d.Request, Result: d.Result} }

// Map decides what to do about an event: one decision for each route that
// takes it or cannot be decided, or one for the event if there is none. It is
// never empty. An Incoming made from an event of the bus works too; its
// headers are gone then, but for those that Waiting has kept. What only a
// look-up would tell counts as missing where there was none.
func (c *Config) Map(in Incoming) []Decision {
	source, known := c.sources[in.Event.Source]
	switch {
	case in.Err != nil:
		return []Decision{rejected(in.Event, "", refusal{reason: event.ReasonBadEvent, detail: in.Err.Error()})}
	case !known:
		return []Decision{rejected(in.Event, "", refusal{
			reason: event.ReasonBadEvent, detail: "the configuration has no source " + quote(in.Event.Source),
		})}
	}
	r := source.reader(in)
	defer r.free()
	if tooOld := source.tooOld(r); tooOld != nil {
		return []Decision{*tooOld}
	}
	var decisions []Decision
	for _, b := range c.bySource[source.name] {
		decision, takes := b.decide(r)
		if takes {
			decisions = append(decisions, decision)
		}
		if takes && b.route.Stop {
			break
		}
	}
	if len(decisions) == 0 {
		return []Decision{skipped(in.Event, "", event.ReasonNoRoute, "no route wants this event")}
	}
	return decisions
}

// tooOld compares the CRM's time with the moment the webhook came in. An event
// whose age cannot be told is not called about.
func (s *Source) tooOld(r *reader) *Decision {
	if s.maxAge == 0 {
		return nil
	}
	moment := r.read(nameTime)
	if moment.state != there {
		d := rejected(r.event, "", *refuse(r, nameTime))
		return &d
	}
	if age := r.event.Received.Sub(moment.moment()); age > s.maxAge {
		d := skipped(r.event, "", event.ReasonTooOld, "the event is older than "+s.maxAge.String())
		return &d
	}
	return nil
}

// decide reports whether the route takes the event, which it also does where
// it wants to and cannot: then the decision is a rejection. A route that cannot
// be decided for want of optional fields does not take it.
func (b *binding) decide(r *reader) (Decision, bool) {
	if !b.route.Enabled {
		return Decision{}, false
	}
	verdict, fields, err := b.rule.evaluate(r)
	switch {
	case err != nil:
		return rejected(r.event, b.route.Name, refusal{
			reason: event.ReasonRuleFailed, detail: event.Redact("evaluate rule: " + err.Error()),
		}), true
	case verdict == noMatch:
		return Decision{}, false
	case verdict == undecided:
		i := slices.IndexFunc(fields, func(name string) bool {
			return !r.source.optional(name) || r.read(name).state == awaited
		})
		if i < 0 {
			return Decision{}, false
		}
		return rejected(r.event, b.route.Name, *refuse(r, fields[i])), true
	}
	return b.request(r), true
}

// request makes the call and asks the route's mode whether it may be dialled.
func (b *binding) request(r *reader) Decision {
	route := b.route
	id := event.RequestID(r.event.ID, route.Name)
	call, refused := b.call.build(r, id.String())
	if refused == nil {
		refused = b.permits(r, call.CallTo)
	}
	if refused != nil {
		return rejected(r.event, route.Name, *refused)
	}
	body, err := payload.Encode(call)
	if err != nil {
		return rejected(r.event, route.Name, refusal{reason: reasonBadCall, detail: err.Error()})
	}
	to := event.Phone(call.CallTo)
	var d Decision
	switch {
	case route.Mode == DryRun:
		d = skipped(r.event, route.Name, event.ReasonDryRun, "the route is in dry_run: nobody was called")
	case route.Mode == AllowList && !slices.Contains(route.allow, call.CallTo):
		d = skipped(r.event, route.Name, event.ReasonNotAllowed, "the number "+to.String()+" is not on the route's list")
	default:
		return Decision{Route: route.Name, To: to, Request: &event.Request{
			ID: id, Route: route.Name, Call: body, Event: r.event,
		}}
	}
	d.To, d.Result.Request = to, body
	return d
}

// permits asks the route about the number to dial, which a field has or the
// route itself.
func (b *binding) permits(r *reader, to string) *refusal {
	if b.call.to != "" {
		refused := b.route.permits(*r.read(b.call.to).number)
		if refused != nil {
			refused.field = b.call.to
		}
		return refused
	}
	number, err := phone.Parse(to, phone.Options{})
	if err != nil {
		return &refusal{reason: reasonBadPhone, detail: err.Error()}
	}
	return b.route.permits(number)
}

func rejected(e event.Event, route string, why refusal) Decision {
	return decision(e, route, event.Rejected, why)
}

func skipped(e event.Event, route string, reason event.Reason, detail string) Decision {
	return decision(e, route, event.Skipped, refusal{reason: reason, detail: detail})
}

func decision(e event.Event, route string, outcome event.Outcome, why refusal) Decision {
	return Decision{Route: route, Result: &event.Result{
		RequestID: event.RequestID(e.ID, route), Outcome: outcome,
		Reason: why.reason, Field: why.field, Detail: why.detail,
		Route: route, Event: e, Time: e.Received,
	}}
}
