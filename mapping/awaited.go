package mapping

import "slices"

// reader reads the event's fields, and says what the source asks its CRM about
// the event. Without an answer, fields that hang on it are awaited.
func (s *Source) reader(in Incoming) *reader {
	replayed := in.material == nil
	if replayed {
		in.material = s.replayed(in)
	}
	if len(s.inquiries) == 0 {
		return newReader(s, in)
	}
	m := *in.material
	request, refused := s.ask(newReader(s, in))
	switch {
	case in.answered:
		m.answer = in.answer
	case request != nil:
		m.awaits = true
	case refused != nil:
		m.unasked = refused.field + ": " + refused.detail
	default:
		m.unasked = "the source asks none for such an event"
	}
	in.material = &m
	if in.answered || replayed {
		s.classify(&in, &m)
	}
	r := newReader(s, in)
	r.request = request
	return r
}

// ask makes the request that the event needs, as far as can be told without
// its answer: nil for none, and a refusal where something for it is missing.
func (s *Source) ask(r *reader) (*LookupRequest, *refusal) {
	for _, i := range s.inquiries {
		if verdict, _, err := i.when.evaluate(r); err != nil || verdict != match {
			continue
		}
		if i.unless != "" && r.read(i.unless).state == there {
			return nil, nil
		}
		return i.request(r)
	}
	return nil, nil
}

// awaits reports whether what becomes of the event hangs on its look-up.
func (c *Config) awaits(r *reader) bool {
	if tooOld := r.source.tooOld(r); tooOld != nil || r.waits {
		return r.waits
	}
	for _, b := range c.bySource[r.source.name] {
		awaits, takes := b.awaits(r)
		if awaits || takes && b.route.Stop {
			return awaits
		}
	}
	return false
}

// awaits reports whether the route's decision hangs on the look-up, and if not
// whether it takes the event.
func (b *binding) awaits(r *reader) (awaits, takes bool) {
	if !b.route.Enabled {
		return false, false
	}
	verdict, fields, err := b.rule.evaluate(r)
	if err == nil && verdict == undecided {
		awaits = slices.ContainsFunc(fields, func(name string) bool { return r.read(name).state == awaited })
	}
	r.waits = false
	if err == nil && verdict == match {
		b.request(r)
		awaits = r.waits
	}
	if awaits {
		return true, false
	}
	_, takes = b.decide(r)
	return false, takes
}

// awaits reports whether the value at places is one that the answer may bring:
// no earlier place has it.
func awaits(places []lookup, m *material) bool {
	for i := range places {
		if places[i].origin == fromLookup {
			return true
		}
		if _, ok := places[i].find(m); ok {
			return false
		}
	}
	return false
}

func (e expression) awaits(m *material) bool {
	return m.awaits && slices.ContainsFunc(e, usesLookup)
}

// refuseLookups notes a problem where a value hangs on the answer that has to
// be known before.
func (e expression) refuseLookups(at node, what string) {
	if slices.ContainsFunc(e, usesLookup) {
		at.problem(what+" has to be known before the look-up", "name a value of the webhook")
	}
}

func usesLookup(places []lookup) bool {
	return slices.ContainsFunc(places, func(l lookup) bool { return l.origin == fromLookup })
}

// onlyAfterLookup reports whether nothing is known of the name before the
// look-up.
func (s *Source) onlyAfterLookup(name string) bool {
	elsewhere := func(l lookup) bool { return l.origin != fromLookup }
	if f, ok := s.fields[name]; ok {
		return usesLookup(f.places) && !slices.ContainsFunc(f.places, elsewhere)
	}
	e := map[string]expression{nameType: s.kind, nameTime: s.moment}[name]
	return len(e) > 0 && !slices.ContainsFunc(e, func(parts []lookup) bool { return !usesLookup(parts) })
}

func awaitedReading(name string) reading {
	return reading{state: awaited, reason: reasonMissing, detail: name + " waits for the look-up, which was not made"}
}
