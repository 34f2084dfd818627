package payload

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Part is an object or a list of a JSON body that Scan has checked and left in
// its text. Of the fifty values of a webhook a mapping needs ten: to make maps
// and lists of all took a fifth of its whole way.
type Part struct {
	in *document
	at int
}

// document is a JSON text and where its values stand in it, each before those
// that it holds. It is not changed any more.
type document struct {
	text  string
	nodes []node
	// spaced says that there is white space between values.
	spaced bool
}

// node is one value. It has no pointers, so that the garbage collector need
// not look into the list of them.
type node struct {
	kind kind
	// escaped and escapedKey say that there is a backslash between the quotes.
	escaped, escapedKey bool
	// key to keyEnd is the name that the value has in its object, start to end
	// the value; both without quotes.
	key, keyEnd, start, end uint32
	// next is the first node behind the value and all that it holds.
	next uint32
}

type kind uint8

const (
	object kind = iota
	list
	text
	number
	yes
	no
	null
)

// unquote reads the text between two quotes, which has been checked.
func (d *document) unquote(start, end uint32, escaped bool) string {
	if !escaped {
		return d.text[start:end]
	}
	var plain string
	_ = json.Unmarshal([]byte(d.text[start-1:end+1]), &plain)
	return plain
}

func (d *document) key(at int) string {
	n := &d.nodes[at]
	return d.unquote(n.key, n.keyEnd, n.escapedKey)
}

// inside goes over the values that an object or a list holds.
func (d *document) inside(at int) iter.Seq[int] {
	return func(yield func(int) bool) {
		end := int(d.nodes[at].next)
		for i := at + 1; i < end; i = int(d.nodes[i].next) {
			if !yield(i) {
				return
			}
		}
	}
}

// value makes maps, lists and single values of a node and what it holds.
func (d *document) value(at int) Value {
	n := &d.nodes[at]
	switch n.kind {
	case object:
		made := map[string]any{}
		for i := range d.inside(at) {
			made[d.key(i)] = d.value(i)
		}
		return made
	case list:
		made := []any{}
		for i := range d.inside(at) {
			made = append(made, d.value(i))
		}
		return made
	case text:
		return d.unquote(n.start, n.end, n.escaped)
	case number:
		return json.Number(d.text[n.start:n.end])
	case yes:
		return true
	case no:
		return false
	default:
		return nil
	}
}

// Open makes maps and lists of a Part. Any other value is returned as it is.
func Open(v Value) Value {
	if p, ok := v.(Part); ok {
		return p.in.value(p.at)
	}
	return v
}

// appendJSON writes the part as it came, without the white space.
func (p Part) appendJSON(b []byte) ([]byte, error) {
	n := &p.in.nodes[p.at]
	written := p.in.text[n.start:n.end]
	if !p.in.spaced {
		return append(b, written...), nil
	}
	out := bytes.NewBuffer(b)
	err := json.Compact(out, []byte(written))
	return out.Bytes(), err
}
