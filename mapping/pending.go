package mapping

import (
	"errors"
	"fmt"
	"slices"

	"callbridge/event"
	"callbridge/mapping/field"
	"callbridge/mapping/lookups"
	"callbridge/mapping/payload"
	"callbridge/mapping/rule"
)

// Lookup returns the request that has to be made to the CRM's API before the
// event can be mapped. There is none if the source asks nothing about such an
// event, if the event has the value already, or if no decision depends on it.
func (c *Config) Lookup(in Incoming) (*lookups.Request, bool) {
	source, ok := c.sources[in.Event.Source]
	if !ok || in.Err != nil || in.answered || !source.lookups.Exist() {
		return nil, false
	}
	values, request := source.values(in)
	return request, request != nil && c.isPending(source, values)
}

// WithLookup returns the event with the answer of the CRM's API: JSON, a form or
// XML, according to contentType. JSON is also accepted under another content
// type, since some APIs send it as text. The error is that of payload.Decode.
func (in Incoming) WithLookup(answer []byte, contentType string) (Incoming, error) {
	tree, err := payload.Decode(contentType, payload.Auto, answer)
	if errors.Is(err, payload.ErrUnsupported) {
		tree, err = payload.Decode("", payload.JSON, answer)
	}
	if err != nil {
		return in, fmt.Errorf("read the lookup's answer: %w", err)
	}
	in.answer, in.answered = tree, true
	return in, nil
}

// LookupProblem returns the error that the answer to the request reports although
// its status is a success, or "".
func (in Incoming) LookupProblem(request *lookups.Request) string {
	if !in.answered {
		return ""
	}
	return request.Problem(in.answer)
}

// LookupIsEmpty reports whether the answer to the request has no record.
func (in Incoming) LookupIsEmpty(request *lookups.Request) bool {
	return in.answered && request.IsEmpty(in.answer)
}

// Lacks returns the name of a field that a rule or a call needs and that the answer of
// the lookup does not have, or "".
func (c *Config) Lacks(in Incoming) string {
	source, ok := c.sources[in.Event.Source]
	if !ok || !in.answered {
		return ""
	}
	for _, d := range c.Map(in) {
		if d.Result != nil && d.Result.Reason == event.ReasonMissingField && source.names.UsesLookup(d.Result.Field) {
			return d.Result.Field
		}
	}
	return ""
}

// Items returns what the bus stores of an event: the event itself (Pending) if
// its lookup has to be made first, else one request or result per Decision of
// Map, with the hash of this configuration. It is never empty, unless Suspend's error is
// returned.
func (c *Config) Items(in Incoming) ([]event.Item, error) {
	if _, needed := c.Lookup(in); needed {
		p, err := c.Suspend(in)
		if err != nil {
			return nil, err
		}
		return []event.Item{{Pending: &p}}, nil
	}
	decisions := c.Map(in)
	items := make([]event.Item, len(decisions))
	for i, d := range decisions {
		items[i] = d.item()
		items[i].DecidedBy(c.hash)
	}
	return items, nil
}

// Suspend returns what has to be stored of an event until its lookup is made:
// the event, and the values that its fields need of the rest of the delivery. Resume
// continues with it.
func (c *Config) Suspend(in Incoming) (event.Pending, error) {
	p := event.Pending{Event: in.Event}
	source, ok := c.sources[in.Event.Source]
	if !ok || in.input == nil {
		return p, nil
	}
	text, err := payload.Encode(source.names.DeliveryValues(source.version, in.input))
	if err != nil {
		return p, fmt.Errorf("encode the delivery of event %s: %w", in.Event.ID, err)
	}
	p.Delivery = text
	return p, nil
}

// Resume continues with an event that has waited for its lookup.
func Resume(p event.Pending) (Incoming, error) {
	in := Incoming{Event: p.Event, kept: map[string]any{}}
	if len(p.Delivery) == 0 {
		return in, nil
	}
	tree, err := payload.Decode("application/json", payload.JSON, p.Delivery)
	if err != nil {
		return in, fmt.Errorf("read the delivery of event %s: %w", p.Event.ID, err)
	}
	in.kept, _ = tree.(map[string]any)
	return in, nil
}

// Rejected returns the item of an event that cannot be mapped for a reason
// outside of the mapping, such as a failed lookup. Its id has the time of the
// webhook: each webhook that leads to a lookup has a result, and a repeated lookup of
// one webhook has the same.
func (in Incoming) Rejected(reason event.Reason, detail string) event.Item {
	d := rejected(in.Event, "", field.Refusal{Reason: reason, Detail: detail})
	d.Result.RequestID = event.RejectionID(in.Event.ID, "", reason, "", in.Event.ReceivedText())
	return d.item()
}

// Skipped returns the item of an event that is not to be mapped.
func (in Incoming) Skipped(reason event.Reason, detail string) event.Item {
	return skipped(in.Event, "", reason, detail).item()
}

// isPending reports whether a decision about the event depends on its lookup.
func (c *Config) isPending(source *Source, values *field.Values) bool {
	if tooOld := source.tooOld(values); tooOld != nil || values.SawPending() {
		return values.SawPending()
	}
	for _, b := range c.bySource[source.name] {
		pending, takes := b.isPending(values)
		if pending || takes && b.route.Stop {
			return pending
		}
	}
	return false
}

// isPending reports whether the route's decision depends on the lookup and, if
// not, whether the route takes the event.
func (b *binding) isPending(values *field.Values) (pending, takes bool) {
	if !b.route.Enabled {
		return false, false
	}
	verdict, names, err := b.rule.Evaluate(values)
	if err == nil && verdict == rule.Undecided {
		pending = slices.ContainsFunc(names, func(name string) bool { return values.Get(name).State == field.Pending })
	}
	values.ForgetPending()
	if err == nil && verdict == rule.Match {
		b.request(values)
		pending = values.SawPending()
	}
	if pending {
		return true, false
	}
	_, takes = b.decide(values)
	return false, takes
}
