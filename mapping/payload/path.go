package payload

// Path names a place in a tree. The zero Path is the tree itself.
//
//	contact.phone                    the member of a member
//	contact."First Name"             a key with other characters than letters,
//	                                 digits and _ - @ : # $
//	phones[0].value, phones[-1]      the first item of a list, and the last
//	phones[type=mobile].value        the first item whose type is mobile
//	answers[field.ref="my phone"]    the same with a path and a quoted text
//	phones[id={main}].value          the same with the value that stands at
//	                                 another path of the tree
//	tags[*]                          every item, for All
//
// Brackets take what is no list as a list of one: XML does not tell the one
// from the other, and some senders write a single item without its list.
type Path struct {
	text  string
	steps []step
}

type step struct {
	kind  stepKind
	key   string // member
	index int    // item
	where Path   // match: where in the item …
	equal string // … stands this text, or …
	same  []step // … the value at this path of the tree
}

type stepKind int

const (
	member stepKind = iota
	item
	match
	every
)

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Lookup returns the value at p, the first one where p says [*]. A null that
// is there is found; see Present.
func (p Path) Lookup(tree Value) (Value, bool) {
	top := cursorAt(tree)
	found, ok := walk{top}.lookup(p.steps, top)
	if !ok {
		return nil, false
	}
	return found.open(), true
}

// All returns the values at p: as many as its [*] find, one or none without.
func (p Path) All(tree Value) []Value { return p.all(tree, cursor.open) }

// Parts is All, but leaves the objects and lists that it finds in a Part as
// Parts: for the events of a delivery.
func (p Path) Parts(tree Value) []Value { return p.all(tree, cursor.part) }

func (p Path) all(tree Value, value func(cursor) Value) []Value {
	top := cursorAt(tree)
	var found []Value
	walk{top}.each(p.steps, top, func(c cursor) { found = append(found, value(c)) })
	return found
}

// walk is one way through a tree, whose top {path} begins at.
type walk struct{ top cursor }

func (w walk) lookup(steps []step, c cursor) (cursor, bool) {
	for i := range steps {
		s := &steps[i]
		if s.kind == every {
			return w.lookupEvery(steps[i+1:], c)
		}
		next, ok := w.step(s, c)
		if !ok {
			return cursor{}, false
		}
		c = next
	}
	return c, true
}

func (w walk) lookupEvery(rest []step, c cursor) (cursor, bool) {
	if !c.isList() {
		return w.lookup(rest, c)
	}
	for inner := range c.items() {
		if found, ok := w.lookup(rest, inner); ok {
			return found, true
		}
	}
	return cursor{}, false
}

func (w walk) each(steps []step, c cursor, found func(cursor)) {
	for i := range steps {
		if steps[i].kind == every {
			w.eachOfEvery(steps[i+1:], c, found)
			return
		}
		next, ok := w.step(&steps[i], c)
		if !ok {
			return
		}
		c = next
	}
	found(c)
}

func (w walk) eachOfEvery(rest []step, c cursor, found func(cursor)) {
	if !c.isList() {
		w.each(rest, c, found)
		return
	}
	for inner := range c.items() {
		w.each(rest, inner, found)
	}
}

// step takes one step other than [*].
func (w walk) step(s *step, c cursor) (cursor, bool) {
	switch {
	case s.kind == member:
		return c.member(s.key)
	case !c.isList():
		return c, s.kind == item && (s.index == 0 || s.index == -1) || s.kind == match && w.matches(s, c)
	case s.kind == item:
		return c.item(s.index)
	}
	for inner := range c.items() {
		if w.matches(s, inner) {
			return inner, true
		}
	}
	return cursor{}, false
}

// matches compares as text, so that [id=5] finds 5 and "5", and [primary=true]
// finds true and "true".
func (w walk) matches(s *step, c cursor) bool {
	equal := s.equal
	if s.same != nil {
		same, _ := w.lookup(s.same, w.top)
		text, ok := same.text()
		if !ok {
			return false
		}
		equal = text
	}
	found, _ := w.lookup(s.where.steps, c)
	text, ok := found.text()
	return ok && text == equal
}
