// Package mapping decides what to do about a webhook: it turns the bytes of a
// delivery into decisions, which are calls to request or reasons not to call.
// Sources and routes come from callbridge.yaml and the presets.
//
// A delivery passes through Source.Receive (verify, decode, split), which returns its
// events; each event passes through Config.Map (each route: rule, call, mode). If the
// source has to ask the CRM first, Config.Lookup returns the request, Config.Suspend
// what is stored of the event meanwhile, and Resume continues with the answer.
//
// The package is pure: no NATS, no HTTP framework, no clock and no randomness.
// A missing or invalid value never leads to a call.
package mapping

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"callbridge/event"
	"callbridge/mapping/config"
	"callbridge/mapping/permit"
)

// Config is a callbridge.yaml without problems: every rule compiles, every name
// is declared. It does not change and is safe for concurrent use.
type Config struct {
	sources map[string]*Source
	routes  []*Route
	// policy is for all routes, and for requests that name no route.
	policy   permit.Policy
	bySource map[string][]*binding
	hash     string
	warnings Problems
}

// Options say where a configuration finds its secrets.
type Options = config.Options

// Setting is an environment variable of the process itself.
type Setting = config.Setting

// Settings are those in the env tags of a struct, for Options.Reserved.
func Settings(settings any) []Setting { return config.SettingsOf(reflect.TypeOf(settings)) }

// Problem is one fault of a configuration; Problems are all of them.
type (
	Problem  = config.Problem
	Problems = config.Problems
)

// Load reads and checks the configuration in file. The error is Problems,
// unless the file itself cannot be read.
func Load(file string, o Options) (*Config, error) {
	r := config.NewReader(o)
	data, err := r.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(file, data, r)
}

// Parse checks the configuration in data; file is its name in Problems. It
// reports all problems at once.
func Parse(file string, data []byte, o Options) (*Config, error) {
	return parse(file, data, config.NewReader(o))
}

func parse(file string, data []byte, r *config.Reader) (*Config, error) {
	l := &loader{
		reader: r, faulty: map[string]bool{},
		config: &Config{sources: map[string]*Source{}, bySource: map[string][]*binding{}},
	}
	if root, ok := r.Document(file, data, "sources: and routes:"); ok {
		l.load(root)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	l.warn()
	l.config.warnings, l.config.hash = r.Warnings(), r.Hash()
	return l.config, nil
}

// Source returns the source of that name.
func (c *Config) Source(name string) (*Source, bool) {
	s, ok := c.sources[name]
	return s, ok
}

// Sources returns all sources, sorted by name.
func (c *Config) Sources() []*Source {
	sources := make([]*Source, 0, len(c.sources))
	for _, name := range slices.Sorted(maps.Keys(c.sources)) {
		sources = append(sources, c.sources[name])
	}
	return sources
}

// Routes returns all routes in the order of the file.
func (c *Config) Routes() []*Route { return slices.Clone(c.routes) }

// Hash identifies the contents of the file and of the presets that it uses, but
// not the secrets: the first 12 hex digits of a SHA-256.
func (c *Config) Hash() string { return c.hash }

// Warnings returns what is allowed but probably not meant: a route in dry_run, a
// source that no route uses, a source that does not verify its senders.
func (c *Config) Warnings() []Problem { return slices.Clone(c.warnings) }

// WithMode returns a copy of the configuration whose routes all have this mode.
// The demo uses it to dial the simulator with an example in dry_run.
func (c *Config) WithMode(mode Mode) *Config {
	changed := *c
	changed.routes = make([]*Route, len(c.routes))
	copies := make(map[*Route]*Route, len(c.routes))
	for i, route := range c.routes {
		r := *route
		r.Mode = mode
		changed.routes[i], copies[route] = &r, &r
	}
	changed.bySource = make(map[string][]*binding, len(c.bySource))
	for source, bindings := range c.bySource {
		for _, b := range bindings {
			copied := *b
			copied.route = copies[b.route]
			changed.bySource[source] = append(changed.bySource[source], &copied)
		}
	}
	return &changed
}

// loader turns the nodes of one configuration into a Config. It continues after a
// problem, so that one run of check shows all of them.
type loader struct {
	reader    *config.Reader
	config    *Config
	publicURL string
	// faulty are sources with problems of their own. Their routes are not
	// checked, since their fields may be incomplete.
	faulty map[string]bool
	// policyFaulty: the file's policy has problems of its own.
	policyFaulty bool
}

func (l *loader) load(root config.Node) {
	file, ok := root.Known(config.FileKeys)
	if !ok {
		return
	}
	if n, ok := file.Get("public_url"); ok {
		l.publicURL = n.PlainText()
	}
	sources, ok := file.Get("sources")
	if !ok {
		root.Problem(`"sources" is missing`, "name at least one CRM")
		return
	}
	if n, ok := file.Get("policy"); ok {
		before := root.Problems()
		l.config.policy = permit.Read(n)
		l.policyFaulty = root.Problems() > before
	}
	l.loadSources(sources)
	if routes, ok := file.Get("routes"); ok {
		l.loadRoutes(routes)
	}
}

func (l *loader) loadSources(at config.Node) {
	named, ok := at.Object()
	if !ok {
		return
	}
	for _, name := range named.Keys {
		before := l.reader.Faults()
		if !event.ValidSource(name) {
			named.Name(name).Problem("a source name is 1 to 40 of a-z, 0-9 and -", "")
		}
		l.config.sources[name] = l.loadSource(name, named.Value(name))
		l.faulty[name] = l.reader.Faults() > before
	}
}

func (l *loader) loadRoutes(at config.Node) {
	items, ok := at.List("a list (- name: …)")
	if !ok {
		return
	}
	names := map[string]bool{}
	for _, item := range items {
		keys, ok := item.Known(config.RouteKeys)
		if !ok {
			continue
		}
		route := l.loadRoute(keys)
		if name, ok := keys.Get("name"); ok && names[route.Name] {
			name.Problem("there is a route "+strconv.Quote(route.Name)+" already", "")
		}
		names[route.Name] = true
		l.config.routes = append(l.config.routes, route)
		l.bind(keys, route)
	}
}

func (l *loader) warn() {
	for _, source := range l.config.Sources() {
		if len(l.config.bySource[source.name]) == 0 {
			source.at.Warn("no route uses this source", "its events are skipped (no_route)")
		}
		l.warnUnsigned(source)
		l.warnSameNumber(l.config.bySource[source.name])
		if why := source.Unverified(); why != "" {
			source.at.Warn("accepts webhooks from any sender: "+why, "")
		}
	}
	for _, route := range l.config.routes {
		switch {
		case !route.Enabled:
			route.at.Warn("the route is switched off", "")
		case route.Mode == DryRun:
			route.at.Warn("dry_run: no call is made", "write mode: live when the results are right")
		default:
			route.Policy.Warn(route.at)
		}
	}
}
