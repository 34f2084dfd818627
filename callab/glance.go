package callab

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Glance looks at a body of POST /calls that is, byte for byte, what encoding/json
// makes of a NewCall where it need not escape <, > and &, and that has notes and
// the key in its metadata. It returns the number and that value, and ok. Any
// other body is not ok, and neither are some that nest or escape: they have to
// be decoded. A body that is ok would be the same after that.
func Glance(body []byte, key string) (callTo, value string, ok bool) {
	g := glancer{rest: body, key: key}
	if !g.object(g.field) || len(g.rest) > 0 || !g.notes {
		return "", "", false
	}
	callTo, value = string(g.callTo), string(g.value)
	return callTo, value, callTo != "" && value != "" && !strings.ContainsRune(callTo+value, '\\')
}

// glancer passes JSON as encoding/json writes it, from left to right.
type glancer struct {
	rest []byte
	// field of NewCall that comes next.
	next          int
	key           string
	callTo, value []byte
	notes         bool
}

// newCallFields are the fields of NewCall in the order of their members.
var newCallFields = reflect.VisibleFields(reflect.TypeFor[NewCall]())

var newCallNames = func() (names []string) {
	for _, f := range newCallFields {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

// field passes the value of a member of NewCall. What is empty is left out there.
func (g *glancer) field(name []byte) bool {
	at := slices.IndexFunc(newCallNames[g.next:], func(known string) bool { return known == string(name) })
	if at < 0 {
		return false
	}
	field := newCallFields[g.next+at]
	g.next += at + 1
	switch field.Type.Kind() {
	case reflect.String:
		text, ok := g.text()
		if g.notes = g.notes || field.Name == "Notes"; field.Name == "CallTo" {
			g.callTo = text
		}
		return ok && len(text) > 0
	case reflect.Pointer:
		return g.word("true") || g.word("false")
	case reflect.Map:
		return g.entries(field.Type.Elem().Kind() == reflect.String)
	}
	return false
}

// entries passes a map, which is written in the order of its keys.
func (g *glancer) entries(texts bool) bool {
	var last []byte
	return g.object(func(name []byte) bool {
		if bytes.IndexByte(name, '\\') >= 0 || last != nil && bytes.Compare(last, name) >= 0 {
			return false
		}
		last = name
		text, ok := g.text()
		if !texts && string(name) == g.key {
			g.value = text
		}
		return ok || !texts && (g.word("true") || g.word("false") || g.word("null") || g.number())
	}) && last != nil
}

// object passes an object without space, and has the value of each member passed.
func (g *glancer) object(value func(name []byte) bool) bool {
	if !g.word("{") {
		return false
	}
	for !g.word("}") {
		name, ok := g.text()
		if !ok || !g.word(":") || !value(name) {
			return false
		}
		if !g.word(",") {
			return g.word("}")
		}
		if len(g.rest) == 0 || g.rest[0] == '}' {
			return false
		}
	}
	return true
}

func (g *glancer) word(word string) bool {
	if len(g.rest) < len(word) || string(g.rest[:len(word)]) != word {
		return false
	}
	g.rest = g.rest[len(word):]
	return true
}

// number passes a number, whose digits json.Number keeps.
func (g *glancer) number() bool {
	length := len(g.rest) - len(bytes.TrimLeft(g.rest, "+-.0123456789Ee"))
	ok := json.Valid(g.rest[:length])
	g.rest = g.rest[length:]
	return ok
}

// text passes a text, and returns what stands between its quotes.
func (g *glancer) text() (text []byte, ok bool) {
	if len(g.rest) == 0 || g.rest[0] != '"' {
		return nil, false
	}
	for i := 1; i < len(g.rest); {
		switch c := g.rest[i]; {
		case c == '"':
			text, g.rest = g.rest[1:i], g.rest[i+1:]
			return text, true
		case c == '\\':
			length := escaped(g.rest[i+1:])
			if length == 0 {
				return nil, false
			}
			i += 1 + length
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(g.rest[i:])
			if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
				return nil, false
			}
			i += size
		case c < ' ':
			return nil, false
		default:
			i++
		}
	}
	return nil, false
}

// escaped is how long an escape is that encoding/json writes; 0 for others.
func escaped(behind []byte) int {
	for _, e := range []string{`"`, `\`, "n", "r", "t"} {
		if len(behind) >= len(e) && string(behind[:len(e)]) == e {
			return len(e)
		}
	}
	return 0
}
