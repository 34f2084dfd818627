package payload

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// decodeJSON reads RFC 8259 JSON in one pass, and refuses what that leaves
// open: a key that an object has twice (readers differ in which one they take)
// and text that is not UTF-8. encoding/json checks neither, and with a second
// pass for them takes three times as long; a fuzz test holds both against each
// other.
func decodeJSON(body []byte, set charset) (Value, error) {
	r := jsonReader{text: string(set.toUTF8(body))}
	if !utf8.ValidString(r.text) {
		return nil, syntaxErrorAt(JSON, r.text, invalidUTF8(r.text), notUTF8)
	}
	tree, ok := r.value(0)
	if ok {
		if r.space(); r.pos == len(r.text) {
			return tree, nil
		}
		r.problem = trailingText
	}
	return nil, syntaxErrorAt(JSON, r.text, r.pos, r.problem)
}

// jsonReader reads from left to right; pos is the next byte. Strings of the
// tree are parts of text, without a copy.
type jsonReader struct {
	text    string
	pos     int
	nodes   int
	problem problem
}

func (r *jsonReader) fail(p problem) bool {
	r.problem = p
	return false
}

func (r *jsonReader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return
		}
	}
}

// take skips white space and then c, if c is next.
func (r *jsonReader) take(c byte) bool {
	r.space()
	if r.pos == len(r.text) {
		return r.fail(endsEarly)
	}
	if r.text[r.pos] != c {
		return r.fail(notJSON)
	}
	r.pos++
	return true
}

func (r *jsonReader) value(depth int) (Value, bool) {
	r.space()
	if r.pos == len(r.text) {
		return nil, r.fail(endsEarly)
	}
	if r.nodes++; r.nodes > MaxNodes {
		return nil, r.fail(tooMany)
	}
	switch c := r.text[r.pos]; c {
	case '{', '[':
		if depth == MaxDepth {
			return nil, r.fail(tooDeep)
		}
		if c == '{' {
			return r.object(depth + 1)
		}
		return r.list(depth + 1)
	case '"':
		return r.string()
	case 't':
		return true, r.literal("true")
	case 'f':
		return false, r.literal("false")
	case 'n':
		return nil, r.literal("null")
	default:
		return r.number()
	}
}

func (r *jsonReader) object(depth int) (Value, bool) {
	r.pos++
	object := map[string]any{}
	if r.take('}') {
		return object, true
	}
	for {
		r.space()
		start := r.pos
		key, ok := r.string()
		if !ok {
			return nil, false
		}
		if _, twice := object[key]; twice {
			r.pos = start
			return nil, r.fail(repeatedKey)
		}
		if !r.take(':') {
			return nil, false
		}
		if object[key], ok = r.value(depth); !ok {
			return nil, false
		}
		if r.take('}') {
			return object, true
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

func (r *jsonReader) list(depth int) (Value, bool) {
	r.pos++
	list := []any{}
	if r.take(']') {
		return list, true
	}
	for {
		item, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		list = append(list, item)
		if r.take(']') {
			return list, true
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

func (r *jsonReader) string() (string, bool) {
	start := r.pos
	if !r.take('"') {
		return "", false
	}
	for ; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			return r.text[start+1 : r.pos-1], true
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", r.fail(notJSON)
		}
	}
	return "", r.fail(endsEarly)
}

// escaped leaves the rare string with a backslash to encoding/json.
func (r *jsonReader) escaped(start int) (string, bool) {
	for ; r.pos < len(r.text); r.pos++ {
		switch r.text[r.pos] {
		case '\\':
			r.pos++
		case '"':
			r.pos++
			var text string
			if err := json.Unmarshal([]byte(r.text[start:r.pos]), &text); err != nil {
				r.pos = start
				return "", r.fail(notJSON)
			}
			return text, true
		}
	}
	r.pos = len(r.text)
	return "", r.fail(endsEarly)
}

func (r *jsonReader) literal(word string) bool {
	if !strings.HasPrefix(r.text[r.pos:], word) {
		return r.fail(notJSON)
	}
	r.pos += len(word)
	return true
}

func (r *jsonReader) number() (Value, bool) {
	size := numberLen(r.text[r.pos:])
	if size == 0 {
		return nil, r.fail(notJSON)
	}
	r.pos += size
	return json.Number(r.text[r.pos-size : r.pos]), true
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return len(text)
}
