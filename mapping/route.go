package mapping

import (
	"fmt"
	"slices"
	"strconv"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/permit"
	"callbridge/mapping/phone"
	"callbridge/mapping/rule"
	"callbridge/policy"
)

// Mode says which numbers a route may dial.
type Mode string

const (
	// DryRun dials no number and publishes the call that would have been
	// requested. It is the default.
	DryRun Mode = "dry_run"
	// Live dials every number.
	Live Mode = "live"
	// AllowList dials only the numbers of allow:.
	AllowList Mode = "allow_list"
)

// Route says which events of which sources lead to which call.
type Route struct {
	// Name is part of the identity of a call.
	Name    string
	Sources []string
	Enabled bool
	Mode    Mode
	// Stop ends the evaluation of later routes if this one takes the event.
	Stop bool
	// Also calls a number that an earlier route calls for the same event.
	Also bool
	// When is the rule as written; empty takes every event.
	When string
	// Purpose is why the route calls; a live route has one.
	Purpose policy.Purpose
	// Policy is the file's policy with the route's own keys in place of it.
	Policy permit.Policy
	// AllowExtension dials the main number of a number with an extension.
	AllowExtension bool

	consent permit.Consent
	allow   []string
	at      config.Node
}

// String is the route in logs.
func (r *Route) String() string { return fmt.Sprintf("%s (%s)", r.Name, r.Mode) }

// permits returns why the route must not dial the number, or nil.
func (r *Route) permits(number phone.Number) *field.Refusal {
	if number.Extension != "" && !r.AllowExtension {
		return &field.Refusal{Reason: event.ReasonBadPhone, Detail: string(phone.HasExtension) + ": an extension cannot be dialled"}
	}
	if err := number.In(r.Policy.Countries); err != nil {
		return &field.Refusal{Reason: event.ReasonBadPhone, Detail: err.Error()}
	}
	return nil
}

// binding is a route compiled for one of its sources.
type binding struct {
	route  *Route
	source *Source
	rule   *rule.Rule
	call   *call.Call
}

func (l *loader) loadRoute(keys config.Object) *Route {
	r := &Route{Enabled: true, Mode: DryRun, at: keys.At}
	if n, ok := keys.Get("name"); ok {
		if r.Name = n.PlainText(); !config.RouteName.MatchString(r.Name) {
			n.Problem("a route name is 1 to 64 of a-z, 0-9 and -", "")
		}
	} else {
		keys.At.Problem(`"name" is missing`, "it becomes part of a call's identity")
	}
	if n, ok := keys.Get("source"); ok {
		r.Sources = l.routeSources(n)
	} else {
		keys.At.Problem(`"source" is missing`, "name one of the sources above")
	}
	for key, value := range map[string]*bool{"enabled": &r.Enabled, "stop": &r.Stop, "also": &r.Also, "allow_extension": &r.AllowExtension} {
		if n, ok := keys.Get(key); ok {
			*value = n.Bool()
		}
	}
	if n, ok := keys.Get("when"); ok {
		r.When = n.Raw()
	}
	r.readMode(keys)
	l.readPermit(r, keys)
	return r
}

// readPermit reads whom the route may call and when. A route that calls people has to say
// why, and in which countries; one for marketing also when, and which field has the consent.
func (l *loader) readPermit(r *Route, keys config.Object) {
	_, hasPurpose := keys.Get("purpose")
	if hasPurpose {
		r.Purpose = policy.Purpose(keys.OneOf("purpose"))
	}
	r.consent = permit.ReadConsent(keys, func(n config.Node, typ string) string { return l.declared(r, n, typ) })
	if r.Enabled && r.Mode == Live && !hasPurpose {
		keys.At.Problem(`mode live needs "purpose"`, "write marketing, or service for calls that the person has asked for")
	}
	if r.Enabled && r.Purpose == policy.Marketing && !r.consent.IsAsked() {
		keys.At.Problem(`purpose marketing needs "consent"`, "name the field of type bool that is true if the person has agreed to be called")
	}
	before := keys.At.Problems()
	r.Policy = l.config.policy.OfRoute()
	if n, ok := keys.Get("policy"); ok {
		r.Policy = l.config.policy.Override(n)
	}
	if r.Enabled && keys.At.Problems() == before && !l.policyFaulty {
		r.checkPolicy()
	}
}

// checkPolicy reports what the policy of a route has to say, and does not.
func (r *Route) checkPolicy() {
	if r.Mode == Live && len(r.Policy.Countries) == 0 {
		r.at.Problem(`mode live needs "policy" with countries`,
			"name the countries whose numbers may be dialled, here or for all routes: policy: {countries: [US, CA]}")
	}
	if r.Purpose == policy.Marketing && !r.Policy.HasHours() {
		r.at.Problem(`purpose marketing needs "policy" with hours`,
			"write hours: local-law for the law where the person is, or hours: any for calls at any hour, here or for all routes: policy: {hours: local-law}")
	}
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

func (l *loader) routeSources(at config.Node) []string {
	var sources []string
	for _, item := range at.Items() {
		name := item.PlainText()
		switch _, ok := l.config.sources[name]; {
		case !ok:
			var known []string
			for _, source := range l.config.Sources() {
				known = append(known, source.name)
			}
			item.Problem("no source "+strconv.Quote(name), config.Suggest(name, known))
		case slices.Contains(sources, name):
			item.Problem("the source "+strconv.Quote(name)+" is repeated", "")
		default:
			sources = append(sources, name)
		}
	}
	return sources
}

func (r *Route) readMode(keys config.Object) {
	if _, ok := keys.Get("mode"); ok {
		r.Mode = Mode(keys.OneOf("mode"))
	}
	allow, ok := keys.Get("allow")
	switch {
	case ok && r.Mode != AllowList:
		allow.Problem("is only for mode allow_list", "")
	case ok:
		for _, item := range allow.Items() {
			r.allow = append(r.allow, field.ReadPhone(item))
		}
	case r.Mode == AllowList:
		keys.At.Problem(`mode allow_list needs "allow"`, `name the numbers that may be dialled, for example ["+12025550100"]`)
	}
}

// bind compiles the rule and the call of a route for each of its sources.
func (l *loader) bind(keys config.Object, route *Route) {
	callNode, ok := keys.Get("call")
	if !ok {
		keys.At.Problem(`"call" is missing`, "say whom to call")
	}
	for _, name := range route.Sources {
		source := l.config.sources[name]
		if l.faulty[name] || source.rules == nil {
			continue
		}
		b := &binding{route: route, source: source}
		if when, ok := keys.Get("when"); ok {
			b.rule = source.rules.Compile(when)
		}
		if ok {
			b.call = call.Read(callNode, call.Scope{Set: source.names, Presence: b.rule.Presence()})
		}
		l.config.bySource[name] = append(l.config.bySource[name], b)
	}
}
