package payload

import (
	"encoding/json"
	"iter"
	"strconv"
)

// cursor is a place in a tree, whether that is still a text or has been opened.
type cursor struct {
	// in and at are a place in a document; without one, value is the place.
	in    *document
	at    int
	value Value
}

func cursorAt(v Value) cursor {
	if p, ok := v.(Part); ok {
		return cursor{in: p.in, at: p.at}
	}
	return cursor{value: v}
}

// open is the value that stands there.
func (c cursor) open() Value {
	if c.in == nil {
		return c.value
	}
	return c.in.value(c.at)
}

// part is the value that stands there, and a Part where it would have to be opened.
func (c cursor) part() Value {
	if c.in != nil && c.in.nodes[c.at].kind <= list {
		return Part{c.in, c.at}
	}
	return c.open()
}

// member goes to the value of a key.
func (c cursor) member(key string) (cursor, bool) {
	if c.in == nil {
		object, _ := c.value.(map[string]any)
		found, ok := object[key]
		return cursorAt(found), ok
	}
	if c.in.nodes[c.at].kind != object {
		return cursor{}, false
	}
	for i := range c.in.inside(c.at) {
		n := &c.in.nodes[i]
		if (n.escapedKey || int(n.keyEnd-n.key) == len(key)) && c.in.key(i) == key {
			return cursor{in: c.in, at: i}, true
		}
	}
	return cursor{}, false
}

func (c cursor) isList() bool {
	if c.in == nil {
		_, ok := c.value.([]any)
		return ok
	}
	return c.in.nodes[c.at].kind == list
}

// items goes over what a list holds.
func (c cursor) items() iter.Seq[cursor] {
	return func(yield func(cursor) bool) {
		if c.in != nil {
			for i := range c.in.inside(c.at) {
				if !yield(cursor{in: c.in, at: i}) {
					return
				}
			}
			return
		}
		list, _ := c.value.([]any)
		for _, item := range list {
			if !yield(cursorAt(item)) {
				return
			}
		}
	}
}

// item goes to an item of a list, counted from the end if below zero.
func (c cursor) item(i int) (cursor, bool) {
	if i < 0 {
		for range c.items() {
			i++
		}
	}
	for inner := range c.items() {
		if i == 0 {
			return inner, true
		}
		i--
	}
	return cursor{}, false
}

// text spells a single value.
func (c cursor) text() (string, bool) {
	if c.in != nil {
		if n := &c.in.nodes[c.at]; n.kind == text {
			return c.in.unquote(n.start, n.end, n.escaped), true
		}
	}
	switch v := c.part().(type) {
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
