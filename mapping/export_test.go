package mapping

// WithoutIndex returns a copy that holds every event against every route.
func (c *Config) WithoutIndex() *Config {
	plain := *c
	plain.indexes = map[string]*routeIndex{}
	for source := range c.sources {
		plain.indexes[source] = &routeIndex{others: c.bySource[source]}
	}
	return &plain
}

// Asked are the routes that the event is held against.
func (c *Config) Asked(in Incoming) []string {
	var names []string
	for _, b := range c.indexes[in.Event.Source].candidates(c.sources[in.Event.Source].reader(in)) {
		names = append(names, b.route.Name)
	}
	return names
}
