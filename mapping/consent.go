package mapping

import (
	"slices"
	"strconv"
	"time"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/rule"
)

// Purpose is why a route calls people.
type Purpose string

const (
	// Marketing needs the person's consent.
	Marketing Purpose = "marketing"
	// Service is about something that the person has asked for, or has a contract about.
	Service Purpose = "service"
)

// consent names the fields that say whether the person may be called at all.
type consent struct {
	// given is the field that has to be true; empty for none.
	given string
	// forbidden are the fields of which none may be true.
	forbidden []string
	// ref and at are fields that prove the consent; empty for none.
	ref, at string
}

// Members of a call's metadata that have the proof of the consent.
const consentRefKey, consentAtKey = "consent_ref", "consent_at"

// readConsent reads purpose, consent and do_not_call. A route that calls people has to say
// why it does.
func (l *loader) readConsent(r *Route, keys config.Object) {
	_, hasPurpose := keys.Get("purpose")
	if hasPurpose {
		r.Purpose = Purpose(keys.OneOf("purpose"))
	}
	r.consent = consent{
		given: l.consentField(r, keys, "consent", field.TypeBool), ref: l.consentField(r, keys, consentRefKey, ""),
		at: l.consentField(r, keys, consentAtKey, field.TypeTime),
	}
	if n, ok := keys.Get("do_not_call"); ok {
		for _, item := range n.Items() {
			r.consent.forbidden = append(r.consent.forbidden, l.declared(r, item, field.TypeBool))
		}
	}
	if !r.Enabled {
		return
	}
	switch {
	case r.Mode == Live && !hasPurpose:
		keys.At.Problem(`mode live needs "purpose"`, "write marketing, or service for calls that the person has asked for")
	case r.Purpose == Marketing && r.consent.given == "":
		keys.At.Problem(`purpose marketing needs "consent"`, "name the field of type bool that is true if the person has agreed to be called")
	}
}

// consentField reads a key that names a field.
func (l *loader) consentField(r *Route, keys config.Object, key, typ string) string {
	n, ok := keys.Get(key)
	if !ok {
		return ""
	}
	return l.declared(r, n, typ)
}

// declared returns the name of a field that each source of the route has, with the type;
// an empty type allows all.
func (l *loader) declared(r *Route, n config.Node, typ string) string {
	name := n.PlainText()
	for _, source := range r.Sources {
		s := l.config.sources[source]
		if l.faulty[source] || s.names == nil {
			continue
		}
		switch {
		case !s.names.Declares(name):
			n.Problem("the source "+strconv.Quote(source)+" has no field "+strconv.Quote(name), config.Suggest(name, s.names.Names()))
		case typ != "" && s.names.TypeOf(name) != typ:
			n.Problem(strconv.Quote(name)+" is of type "+s.names.TypeOf(name)+", not "+typ, "declare the field with type: "+typ)
		}
	}
	return name
}

// refuses returns why the person must not be called, and the outcome, or nil. A field
// that has no value, or one that is neither true nor false, rejects the event: it is not
// known what the person wants.
func (c consent) refuses(values *field.Values) (why *field.Refusal, outcome event.Outcome) {
	for _, name := range c.forbidden {
		switch forbidden, known := flag(values, name); {
		case !known:
			return values.Refuse(name), event.Rejected
		case forbidden:
			return &field.Refusal{Reason: event.ReasonDoNotCall, Field: name, Detail: "the CRM says that the person must not be called"}, event.Skipped
		}
	}
	if c.given == "" {
		return nil, ""
	}
	switch given, known := flag(values, c.given); {
	case !known:
		return values.Refuse(c.given), event.Rejected
	case !given:
		return &field.Refusal{Reason: event.ReasonNoConsent, Field: c.given, Detail: "the person has not agreed to be called"}, event.Skipped
	}
	return nil, ""
}

// names are the fields that decide whether the person is called.
func (c consent) names() []string {
	if c.given == "" {
		return c.forbidden
	}
	return append(slices.Clone(c.forbidden), c.given)
}

// parts are the fields with their values, as those of a rule.
func (c consent) parts(values *field.Values) (parts []rule.Part) {
	add := func(key, name string) {
		value := "unknown"
		if set, known := flag(values, name); known {
			value = strconv.FormatBool(set)
		}
		parts = append(parts, rule.Part{Text: key + ": " + name, Value: value})
	}
	for _, name := range c.forbidden {
		add("do_not_call", name)
	}
	if c.given != "" {
		add("consent", c.given)
	}
	return parts
}

// flag returns the value of a field of type bool.
func flag(values *field.Values, name string) (value, known bool) {
	got := values.Get(name)
	if got.State != field.Present {
		return false, false
	}
	value, known = got.Typed.(bool)
	return value, known
}

// prove adds the proof of the consent to a call's metadata, as far as the event has it.
// What the route itself writes there stays.
func (c consent) prove(metadata map[string]any, values *field.Values) {
	add := func(key, name string, text func(*field.Value) any) {
		if _, has := metadata[key]; has || name == "" {
			return
		}
		if got := values.Get(name); got.State == field.Present {
			metadata[key] = text(got)
		}
	}
	add(consentRefKey, c.ref, func(v *field.Value) any { return v.JSON() })
	add(consentAtKey, c.at, func(v *field.Value) any { return v.Time().UTC().Format(time.RFC3339) })
}
