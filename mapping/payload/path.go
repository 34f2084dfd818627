package payload

import (
	"encoding/json"
	"strconv"
)

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
func (p Path) Lookup(tree Value) (Value, bool) { return walk{tree}.lookup(p.steps, tree) }

// All returns the values at p: as many as its [*] find, one or none without.
func (p Path) All(tree Value) []Value { return walk{tree}.appendAll(nil, p.steps, tree) }

// walk is one way through a tree, whose top {path} begins at.
type walk struct{ top Value }

func (w walk) lookup(steps []step, v Value) (Value, bool) {
	for i := range steps {
		s := &steps[i]
		if s.kind == every {
			return w.lookupEvery(steps[i+1:], v)
		}
		next, ok := w.step(s, v)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, true
}

func (w walk) lookupEvery(rest []step, v Value) (Value, bool) {
	list, ok := v.([]any)
	if !ok {
		return w.lookup(rest, v)
	}
	for _, inner := range list {
		if found, ok := w.lookup(rest, inner); ok {
			return found, true
		}
	}
	return nil, false
}

func (w walk) appendAll(found []Value, steps []step, v Value) []Value {
	for i := range steps {
		if steps[i].kind == every {
			return w.appendEvery(found, steps[i+1:], v)
		}
		next, ok := w.step(&steps[i], v)
		if !ok {
			return found
		}
		v = next
	}
	return append(found, v)
}

func (w walk) appendEvery(found []Value, rest []step, v Value) []Value {
	list, ok := v.([]any)
	if !ok {
		return w.appendAll(found, rest, v)
	}
	for _, inner := range list {
		found = w.appendAll(found, rest, inner)
	}
	return found
}

// step takes one step other than [*].
func (w walk) step(s *step, v Value) (Value, bool) {
	if s.kind == member {
		object, _ := v.(map[string]any)
		found, ok := object[s.key]
		return found, ok
	}
	list, ok := v.([]any)
	if !ok {
		return w.stepOne(s, v)
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
		if w.matches(s, inner) {
			return inner, true
		}
	}
	return nil, false
}

func (w walk) stepOne(s *step, v Value) (Value, bool) {
	if s.kind == item {
		return v, s.index == 0 || s.index == -1
	}
	return v, w.matches(s, v)
}

// matches compares as text, so that [id=5] finds 5 and "5", and [primary=true]
// finds true and "true".
func (w walk) matches(s *step, v Value) bool {
	equal := s.equal
	if s.same != nil {
		same, _ := w.lookup(s.same, w.top)
		text, ok := text(same)
		if !ok {
			return false
		}
		equal = text
	}
	found, _ := w.lookup(s.where.steps, v)
	text, ok := text(found)
	return ok && text == equal
}

// text spells a single value.
func text(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}
