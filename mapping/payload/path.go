package payload

import "encoding/json"

// Path names a place in a tree. The zero Path is the tree itself.
//
//	contact.phone                    the member of a member
//	contact."First Name"             a key with other characters than letters,
//	                                 digits and _ - @ : # $
//	phones[0].value, phones[-1]      the first item of a list, and the last
//	phones[type=mobile].value        the first item whose type is mobile
//	answers[field.ref="my phone"]    the same with a path and a quoted text
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
	equal string // … stands this text
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
func (p Path) Lookup(tree Value) (Value, bool) { return lookup(p.steps, tree) }

// All returns the values at p: as many as its [*] find, one or none without.
func (p Path) All(tree Value) []Value { return appendAll(nil, p.steps, tree) }

func lookup(steps []step, v Value) (Value, bool) {
	for i := range steps {
		s := &steps[i]
		if s.kind == every {
			return lookupEvery(steps[i+1:], v)
		}
		next, ok := s.from(v)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, true
}

func lookupEvery(rest []step, v Value) (Value, bool) {
	list, ok := v.([]any)
	if !ok {
		return lookup(rest, v)
	}
	for _, inner := range list {
		if found, ok := lookup(rest, inner); ok {
			return found, true
		}
	}
	return nil, false
}

func appendAll(found []Value, steps []step, v Value) []Value {
	for i := range steps {
		if steps[i].kind == every {
			return appendEvery(found, steps[i+1:], v)
		}
		next, ok := steps[i].from(v)
		if !ok {
			return found
		}
		v = next
	}
	return append(found, v)
}

func appendEvery(found []Value, rest []step, v Value) []Value {
	list, ok := v.([]any)
	if !ok {
		return appendAll(found, rest, v)
	}
	for _, inner := range list {
		found = appendAll(found, rest, inner)
	}
	return found
}

// from takes one step other than [*].
func (s *step) from(v Value) (Value, bool) {
	if s.kind == member {
		object, _ := v.(map[string]any)
		found, ok := object[s.key]
		return found, ok
	}
	list, ok := v.([]any)
	if !ok {
		return s.fromOne(v)
	}
	if s.kind == item {
		i := s.index
		if i < 0 {
			i += len(list)
		}
		if i < 0 || i >= len(list) {
			return nil, false
		}
		return list[i], true
	}
	for _, inner := range list {
		if s.matches(inner) {
			return inner, true
		}
	}
	return nil, false
}

func (s *step) fromOne(v Value) (Value, bool) {
	if s.kind == item {
		return v, s.index == 0 || s.index == -1
	}
	return v, s.matches(v)
}

// matches compares as text, so that [id=5] finds 5 and "5", and [primary=true]
// finds true and "true".
func (s *step) matches(v Value) bool {
	found, ok := lookup(s.where.steps, v)
	if !ok {
		return false
	}
	switch found := found.(type) {
	case string:
		return found == s.equal
	case json.Number:
		return string(found) == s.equal
	case bool:
		return found && s.equal == "true" || !found && s.equal == "false"
	default:
		return false
	}
}
