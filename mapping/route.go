package mapping

import (
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Mode is whom a route may dial.
type Mode string

const (
	// DryRun dials nobody and publishes the request that would have been
	// sent. It is the mode of a route that names none.
	DryRun Mode = "dry_run"
	// Live dials.
	Live Mode = "live"
	// AllowList dials the numbers of allow: only.
	AllowList Mode = "allow_list"
)

var modes = []string{string(DryRun), string(Live), string(AllowList)}

// Route says which events of which sources lead to which call.
type Route struct {
	// Name is part of the identity of a call.
	Name    string
	Sources []string
	Enabled bool
	Mode    Mode
	// Stop keeps later routes from an event that this one takes.
	Stop bool
	// When is the rule as it is written. Empty takes every event.
	When string
	// Regions are the countries that may be dialled. Empty means all.
	Regions []string
	// AllowExtension dials the main number of a number with an extension.
	AllowExtension bool

	allow []string
	at    node
}

// binding is a route for the fields of one of its sources.
type binding struct {
	route *Route
	rule  *rule
	call  *callTemplate
}

// routeName is what a metric label and a log take without escaping.
var routeName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

func (l *loader) routes(at node) {
	if !at.is(yaml.SequenceNode, "a list (- name: …)") {
		return
	}
	names := map[string]bool{}
	for _, item := range at.items() {
		keys, ok := item.known(routeKeys)
		if !ok {
			continue
		}
		route := l.route(keys)
		if name, ok := keys.get("name"); ok && names[route.Name] {
			name.problem("there is a route "+quote(route.Name)+" already", "")
		}
		names[route.Name] = true
		l.config.routes = append(l.config.routes, route)
		l.bind(keys, route)
	}
}

func (l *loader) route(keys object) *Route {
	r := &Route{Enabled: true, Mode: DryRun, at: keys.at}
	if n, ok := keys.get("name"); ok {
		if r.Name = plainText(n); !routeName.MatchString(r.Name) {
			n.problem("a route name is 1 to 64 of a-z, 0-9 and -", "")
		}
	} else {
		keys.at.problem(`"name" is missing`, "it becomes part of a call's identity")
	}
	if n, ok := keys.get("source"); ok {
		r.Sources = l.routeSources(n)
	} else {
		keys.at.problem(`"source" is missing`, "name one of the sources above")
	}
	for key, value := range map[string]*bool{"enabled": &r.Enabled, "stop": &r.Stop, "allow_extension": &r.AllowExtension} {
		if n, ok := keys.get(key); ok {
			*value = n.boolean()
		}
	}
	if n, ok := keys.get("regions"); ok {
		for _, item := range n.items() {
			r.Regions = append(r.Regions, readRegion(item))
		}
	}
	if n, ok := keys.get("when"); ok {
		r.When = n.Value
	}
	r.readMode(keys)
	return r
}

func (l *loader) routeSources(at node) []string {
	var sources []string
	for _, item := range at.items() {
		name := plainText(item)
		if _, ok := l.config.sources[name]; !ok {
			var known []string
			for _, source := range l.config.Sources() {
				known = append(known, source.name)
			}
			item.problem("no source "+quote(name), suggest(name, known))
			continue
		}
		if slices.Contains(sources, name) {
			item.problem("the source "+quote(name)+" stands here twice", "")
			continue
		}
		sources = append(sources, name)
	}
	return sources
}

func (r *Route) readMode(keys object) {
	if n, ok := keys.get("mode"); ok {
		r.Mode = Mode(oneOf(n, modes))
	}
	allow, ok := keys.get("allow")
	switch {
	case ok && r.Mode != AllowList:
		allow.problem("is only for mode allow_list", "")
	case ok:
		for _, item := range allow.items() {
			r.allow = append(r.allow, readNumber(item))
		}
	case r.Mode == AllowList:
		keys.at.problem(`mode allow_list needs "allow"`, `name the numbers that may be dialled, for example ["+12025550100"]`)
	}
}

// bind checks the rule and the call against the fields of each source.
func (l *loader) bind(keys object, route *Route) {
	call, ok := keys.get("call")
	if !ok {
		keys.at.problem(`"call" is missing`, "say whom to call")
	}
	for _, name := range route.Sources {
		source := l.config.sources[name]
		if l.broken[name] || source.env == nil {
			continue
		}
		b := &binding{route: route}
		if when, ok := keys.get("when"); ok {
			b.rule = compileRule(when, source)
		}
		if ok {
			b.call = readCall(call, scope{source, b.rule.asked()}, &l.config.warnings)
		}
		l.config.bySource[name] = append(l.config.bySource[name], b)
	}
}

// String is for logs.
func (r *Route) String() string { return fmt.Sprintf("%s (%s)", r.Name, r.Mode) }
