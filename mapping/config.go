package mapping

import (
	"maps"
	"slices"
)

// Config is a callbridge.yaml that has been checked: every rule compiles,
// every name is known. It does not change and is safe for concurrent use.
type Config struct {
	sources  map[string]*Source
	routes   []*Route
	bySource map[string][]*binding
	hash     string
	warnings Problems
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

// Hash names the contents of the file and of the presets it uses: the first
// 12 hex digits of a SHA-256. Secrets are not part of it.
func (c *Config) Hash() string { return c.hash }

// Warnings returns what is allowed but worth a look: a route in dry_run, a
// source that no route uses, a source that lets everybody in.
func (c *Config) Warnings() []Problem { return slices.Clone(c.warnings) }

// WithMode returns a copy of the configuration whose routes all have this
// mode. The demo uses it to dial the simulator with an example in dry_run.
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
	for source := range c.sources {
		for _, b := range c.bySource[source] {
			moved := *b
			moved.route = copies[b.route]
			changed.bySource[source] = append(changed.bySource[source], &moved)
		}
	}
	return &changed
}
