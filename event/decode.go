package event

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Decode reads a request as it stands on the bus. Its raw parts are parts of
// data, which must not change any more.
//
// It is json.Unmarshal, which looks at a raw part several times and copies it.
// The usual form is read here in one pass; whatever is out of the ordinary, a
// mistake too, is left to encoding/json. A fuzz test holds both against each
// other.
func (r *Request) Decode(data []byte) error {
	s := scanner{b: data}
	if usual := (Request{}); s.request(&usual) && s.atEnd() {
		*r = usual
		return nil
	}
	return json.Unmarshal(data, r)
}

var (
	requestMembers = []string{"id", "route", "call", "event"}
	eventMembers   = []string{"id", "source", "key", "type", "time", "received", "data"}
)

func (s *scanner) request(r *Request) bool {
	return s.members(requestMembers, func(name string) bool {
		switch name {
		case "id":
			return s.id(&r.ID)
		case "route":
			return s.string(&r.Route)
		case "call":
			return s.raw(&r.Call)
		}
		return s.event(&r.Event)
	})
}

func (s *scanner) event(e *Event) bool {
	return s.members(eventMembers, func(name string) bool {
		switch name {
		case "id":
			return s.id(&e.ID)
		case "source":
			return s.string(&e.Source)
		case "key":
			return s.string(&e.Key)
		case "type":
			return s.string(&e.Type)
		case "time":
			return s.time(&e.Time)
		case "received":
			return s.time(&e.Received)
		}
		return s.raw(&e.Data)
	})
}

// members reads an object whose members all have one of the names, each at most
// once. read reads the value.
func (s *scanner) members(names []string, read func(name string) bool) bool {
	seen := 0
	return s.list('{', '}', func() bool {
		key, ok := s.text()
		if !ok || !s.next(':') {
			return false
		}
		for i, name := range names {
			if string(key) == name && seen&(1<<i) == 0 {
				seen |= 1 << i
				s.space()
				return read(name)
			}
		}
		return false
	})
}

func (s *scanner) raw(into *json.RawMessage) bool {
	from := s.at
	if !s.value(0) {
		return false
	}
	*into = s.b[from:s.at:s.at]
	return true
}

func (s *scanner) string(into *string) bool {
	text, ok := s.text()
	if ok = ok && plainBytes(text); ok {
		*into = string(text)
	}
	return ok
}

func (s *scanner) id(into *uuid.UUID) bool {
	text, ok := s.text()
	return ok && plainBytes(text) && into.UnmarshalText(text) == nil
}

func (s *scanner) time(into *time.Time) bool {
	from := s.at
	_, ok := s.text()
	return ok && into.UnmarshalJSON(s.b[from:s.at]) == nil
}

// plainBytes reports whether a text means itself.
func plainBytes(text []byte) bool {
	for _, c := range text {
		if c == '\\' || c > '~' {
			return false
		}
	}
	return true
}
