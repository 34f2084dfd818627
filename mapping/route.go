package mapping

import (
	"fmt"
	"slices"
	"strconv"

	"callbridge/event"
	"callbridge/mapping/call"
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/phone"
	"callbridge/mapping/rule"
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
	Purpose Purpose
	// Policy is the file's policy with the route's own keys in place of it.
	Policy Policy
	// AllowExtension dials the main number of a number with an extension.
	AllowExtension bool

	consent consent
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
	route *Route
	rule  *rule.Rule
	call  *call.Call
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
	l.readConsent(r, keys)
	r.Policy = l.config.policy
	if n, ok := keys.Get("policy"); ok {
		r.Policy = readPolicy(n, l.config.policy)
	}
	if r.Enabled && r.Mode == Live && len(r.Policy.Countries) == 0 {
		keys.At.Problem(`mode live needs "policy" with countries`,
			"name the countries whose numbers may be dialled, here or for all routes: policy: {countries: [US, CA]}")
	}
	return r
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
		b := &binding{route: route}
		if when, ok := keys.Get("when"); ok {
			b.rule = source.rules.Compile(when)
		}
		if ok {
			b.call = call.Read(callNode, call.Scope{Set: source.names, Presence: b.rule.Presence()})
		}
		l.config.bySource[name] = append(l.config.bySource[name], b)
	}
}
