package event

import "bytes"

// scanner goes through JSON once (RFC 8259). It never takes for JSON what is
// none; what nests deeper than maxDepth it does not take either.
type scanner struct {
	b  []byte
	at int
}

const maxDepth = 64

// value passes one value.
func (s *scanner) value(depth int) bool {
	if s.space(); s.at == len(s.b) || depth == maxDepth {
		return false
	}
	switch s.b[s.at] {
	case '{':
		return s.list('{', '}', func() bool {
			_, ok := s.text()
			return ok && s.next(':') && s.value(depth+1)
		})
	case '[':
		return s.list('[', ']', func() bool { return s.value(depth + 1) })
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// list passes an object or an array, and has each element read.
func (s *scanner) list(begin, end byte, element func() bool) bool {
	if !s.next(begin) {
		return false
	}
	if s.next(end) {
		return true
	}
	for {
		s.space()
		if !element() {
			return false
		}
		if !s.next(',') {
			return s.next(end)
		}
	}
}

// text passes a string, and returns what stands between its quotes.
func (s *scanner) text() (text []byte, ok bool) {
	if s.at == len(s.b) || s.b[s.at] != '"' {
		return nil, false
	}
	from := s.at + 1
	for i := from; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.at = i + 1
			return s.b[from:i], true
		case c == '\\':
			length := escape(s.b[i+1:])
			if length == 0 {
				return nil, false
			}
			i += length
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// escape is how long an escape is behind its backslash; 0 if it is none.
func escape(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case bytes.IndexByte([]byte(`"\/bfnrt`), b[0]) >= 0:
		return 1
	case b[0] != 'u' || len(b) < 5:
		return 0
	}
	for _, c := range b[1:5] {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0
		}
	}
	return 5
}

// number passes -12.5e+3.
func (s *scanner) number() bool {
	s.is('-')
	if !s.is('0') && !s.digits() {
		return false
	}
	if s.is('.') && !s.digits() {
		return false
	}
	if s.is('e') || s.is('E') {
		if !s.is('+') {
			s.is('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}

func (s *scanner) word(word string) bool {
	if !bytes.HasPrefix(s.b[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

// is passes a character, if it is the next one.
func (s *scanner) is(c byte) bool {
	if s.at == len(s.b) || s.b[s.at] != c {
		return false
	}
	s.at++
	return true
}

// next is is, with space before it.
func (s *scanner) next(c byte) bool {
	s.space()
	return s.is(c)
}

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\t' || s.b[s.at] == '\n' || s.b[s.at] == '\r') {
		s.at++
	}
}

// atEnd reports whether nothing follows.
func (s *scanner) atEnd() bool {
	s.space()
	return s.at == len(s.b)
}
