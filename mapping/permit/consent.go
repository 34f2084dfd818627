package permit

import (
	"slices"
	"strconv"
	"time"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/rule"
)

// Consent names the fields that say whether the person may be called at all.
type Consent struct {
	// given is the field that has to be true; empty for none.
	given string
	// forbidden are the fields of which none may be true.
	forbidden []string
	// ref and at are fields that prove the consent; empty for none.
	ref, at string
}

// Members of a call's metadata that have the proof of the consent.
const consentRefKey, consentAtKey = "consent_ref", "consent_at"

// ReadConsent reads consent, consent_ref, consent_at and do_not_call of a route. Declared
// returns the name of a field that each source of the route has, with the type; an empty
// type allows all.
func ReadConsent(keys config.Object, declared func(n config.Node, typ string) string) Consent {
	named := func(key, typ string) string {
		if n, ok := keys.Get(key); ok {
			return declared(n, typ)
		}
		return ""
	}
	c := Consent{given: named("consent", field.TypeBool), ref: named(consentRefKey, ""), at: named(consentAtKey, field.TypeTime)}
	if n, ok := keys.Get("do_not_call"); ok {
		for _, item := range n.Items() {
			c.forbidden = append(c.forbidden, declared(item, field.TypeBool))
		}
	}
	return c
}

// IsAsked reports whether the route names a field that has to be true.
func (c Consent) IsAsked() bool { return c.given != "" }

// Refuses returns why the person must not be called, and the outcome, or nil. A field
// that has no value, or one that is neither true nor false, rejects the event: it is not
// known what the person wants.
func (c Consent) Refuses(values *field.Values) (why *field.Refusal, outcome event.Outcome) {
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

// Names are the fields that decide whether the person is called.
func (c Consent) Names() []string {
	if c.given == "" {
		return c.forbidden
	}
	return append(slices.Clone(c.forbidden), c.given)
}

// Parts are the fields with their values, as those of a rule.
func (c Consent) Parts(values *field.Values) (parts []rule.Part) {
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

// Prove adds the proof of the consent to a call's metadata, as far as the event has it.
// What the route itself writes there stays.
func (c Consent) Prove(metadata map[string]any, values *field.Values) {
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
