package call

import "slices"

// Names are the names whose values the call says or dials: those of all keys but
// metadata, which the person and the agent never hear.
func (c *Call) Names() []string {
	var names []string
	add := func(t Template) {
		for _, p := range t.Parts {
			if p.Name != "" {
				names = append(names, p.Name)
			}
		}
	}
	for _, t := range c.texts {
		add(t.template)
	}
	for _, v := range c.variables {
		add(v.template)
	}
	if c.isTest != nil {
		add(*c.isTest)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
