package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"callbridge/mapping/payload"
)

// material is what values are read from: one event, and the delivery that
// brought it.
type material struct {
	// body is the event's own tree, root the tree of the whole delivery.
	body, root payload.Value
	header     http.Header
	url        *url.URL
	// kept are values of a delivery that is gone, by place: those of an event
	// that came from the bus.
	kept map[string]any
	// answer is the tree that the CRM's API answered.
	answer payload.Value
	// awaits says that there is to be an answer and is none yet; unasked why
	// there will be none.
	awaits  bool
	unasked string
	// nullWords are the source's words for nothing, in lower case.
	nullWords []string
}

// find returns the first value at the place that says something.
func (l *lookup) find(m *material) (payload.Value, bool) {
	if l.many {
		for _, v := range l.all(m) {
			return v, true
		}
		return nil, false
	}
	var found payload.Value
	switch l.origin {
	case fromBody:
		found, _ = l.path.Lookup(m.body)
	case fromRoot:
		found, _ = l.path.Lookup(m.root)
	case fromHeader:
		found = m.header.Get(l.name)
	case fromQuery:
		found = m.url.Query().Get(l.name)
	case fromSHA256:
		found = m.digest(l)
	case fromText:
		found = l.name
	case fromLookup:
		found, _ = l.path.Lookup(m.answer)
	}
	if len(m.kept) > 0 { // most events have none, and no place is to be spelled
		if kept, ok := m.kept[l.String()]; ok {
			found = kept
		}
	}
	return found, m.present(found) && !(l.wraps && isObject(found))
}

// all returns everything that a path with [*] finds and that says something.
func (l *lookup) all(m *material) []payload.Value {
	values := l.path.All(m.tree(l.origin))
	if kept, ok := m.kept[l.String()].([]any); ok {
		values = slices.Clone(kept)
	}
	return slices.DeleteFunc(values, func(v payload.Value) bool {
		return !m.present(v) || l.wraps && isObject(v)
	})
}

// tree is what the paths of an origin lead into.
func (m *material) tree(origin string) payload.Value {
	switch origin {
	case fromRoot:
		return m.root
	case fromLookup:
		return m.answer
	default:
		return m.body
	}
}

// digest is the SHA-256 of the event's tree, or of a part of it, as JSON with
// sorted keys: a sender that writes the same event anew may write it in another
// order. A part that says nothing has none.
func (m *material) digest(l *lookup) string {
	tree := m.body
	if l.name != fromBody {
		if tree, _ = l.path.Lookup(m.body); !m.present(tree) {
			return ""
		}
	}
	text, err := payload.Encode(tree)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// present reports whether a value says anything.
func (m *material) present(v payload.Value) bool {
	if list, ok := v.([]any); ok {
		return len(list) > 0
	}
	if !payload.Present(v) {
		return false
	}
	text, ok := v.(string)
	return !ok || len(m.nullWords) == 0 ||
		!slices.Contains(m.nullWords, strings.ToLower(strings.TrimSpace(text)))
}

// text returns the first single value at the place: its text, or the digits
// of a number.
func (l *lookup) text(m *material) (string, bool) {
	v, ok := l.find(m)
	if !ok {
		return "", false
	}
	text, ok := scalarText(v)
	return strings.TrimSpace(text), ok
}

// scalarText spells a single value. Objects and lists have no text.
func scalarText(v payload.Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	default:
		return "", false
	}
}
