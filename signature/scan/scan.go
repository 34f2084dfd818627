// Package scan finds one value in JSON text without parsing the rest: signature reads
// with it a token or a signature in a body whose sender is not verified yet, which
// must not cost more than reading it. It imports no package of this module.
package scan

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Text follows names through nested objects to a string or a number and returns it
// as text. It reads the text once, from left to right, stops behind the value and
// builds nothing. found is false if a name is missing or the value is null or empty;
// ok is false if the text has another shape as far as it was read. What it does not
// check, such as a name that an object has twice, the parser of the verified body
// refuses.
func Text(text []byte, names []string) (value string, found, ok bool) {
	s := scan{text: text}
	for _, name := range names {
		if s.next() != '{' {
			return "", false, false
		}
		s.pos++
		if found, ok := s.enterMember(name); !found || !ok {
			return "", false, ok
		}
	}
	raw, ok := s.scalar()
	switch {
	case !ok:
		return "", false, false
	case raw[0] == '"':
		unquoted, err := jsontext.AppendUnquote(nil, raw)
		return string(unquoted), len(unquoted) > 0, err == nil
	case string(raw) == "null":
		return "", false, true
	}
	number := jsontext.Value(raw)
	return string(raw), true, number.Kind() == jsontext.KindNumber && number.IsValid()
}

// scan is a position in JSON text. It moves forward only.
type scan struct {
	text []byte
	pos  int
	// name is the buffer of names with escapes.
	name []byte
}

// next skips white space and returns the next byte, 0 at the end.
func (s *scan) next() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// enterMember reads an object behind its { up to the value of the member name. It
// returns false, false if the text is not an object.
func (s *scan) enterMember(name string) (found, ok bool) {
	if s.next() == '}' {
		return false, true
	}
	for s.next() == '"' {
		raw, ok := s.quoted()
		if !ok || s.next() != ':' {
			return false, false
		}
		s.pos++
		if s.isName(raw, name) {
			return true, true
		}
		if !s.skipValue() {
			return false, false
		}
		switch s.next() {
		case '}':
			return false, true
		case ',':
			s.pos++
		default:
			return false, false
		}
	}
	return false, false
}

// isName compares a quoted name, which may have escapes.
func (s *scan) isName(raw []byte, name string) bool {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner) == name
	}
	if len(inner) > len(`\u0000`)*len(name) {
		return false
	}
	var err error
	s.name, err = jsontext.AppendUnquote(s.name[:0], raw)
	return err == nil && string(s.name) == name
}

// quoted reads a string with its quotes.
func (s *scan) quoted() ([]byte, bool) {
	start := s.pos
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch s.text[s.pos] {
		case '"':
			s.pos++
			return s.text[start:s.pos], true
		case '\\':
			s.pos++
		}
	}
	return nil, false
}

// scalar reads a string, a number or a word.
func (s *scan) scalar() ([]byte, bool) {
	if s.next() == '"' {
		return s.quoted()
	}
	start := s.pos
	for ; s.pos < len(s.text); s.pos++ {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}', '[', '{', '"':
			return s.text[start:s.pos], s.pos > start
		}
	}
	return s.text[start:], s.pos > start
}

// skipValue reads over a value. Of a list or an object it counts the brackets only.
func (s *scan) skipValue() bool {
	if c := s.next(); c != '{' && c != '[' {
		_, ok := s.scalar()
		return ok
	}
	for depth := 0; s.pos < len(s.text); {
		switch s.text[s.pos] {
		case '"':
			if _, ok := s.quoted(); !ok {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.pos++
				return true
			}
		}
		s.pos++
	}
	return false
}
