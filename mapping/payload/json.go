package payload

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// scanJSON reads RFC 8259 JSON in one pass, and refuses what that leaves open:
// a key that an object has twice (readers differ in which one they take) and
// text that is not UTF-8. encoding/json checks neither, and with a second pass
// for them takes three times as long; a fuzz test holds both against each other.
func scanJSON(body []byte, set charset) (*document, error) {
	read := set.toUTF8(body)
	r := newReader(unsafe.String(unsafe.SliceData(read), len(read))) // see Scan: nobody changes it
	if !utf8.ValidString(r.text) {
		return nil, syntaxErrorAt(JSON, r.text, invalidUTF8(r.text), notUTF8)
	}
	if r.value(node{}, 0) {
		if r.space(); r.pos == len(r.text) {
			return &r.document, nil
		}
		r.problem = trailingText
	}
	return nil, syntaxErrorAt(JSON, r.text, r.pos, r.problem)
}

// jsonReader reads from left to right; pos is the next byte.
type jsonReader struct {
	document
	pos     int
	problem problem
}

// leastEach is how many bytes a value takes at least, on the average, with its
// name and a comma. Where it takes less, the list of them grows as it is read.
const leastEach = 8

func newReader(text string) *jsonReader {
	// Each value but the first stands behind one of these.
	values := 1 + strings.Count(text, ",") + strings.Count(text, "{") + strings.Count(text, "[")
	return &jsonReader{document: document{text: text, nodes: make([]node, 0, min(values, 1+len(text)/leastEach))}}
}

func (r *jsonReader) fail(p problem) bool {
	r.problem = p
	return false
}

func (r *jsonReader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.spaced = true
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

// value reads a value and what it holds. The node has its name already.
func (r *jsonReader) value(n node, depth int) bool {
	r.space()
	if r.pos == len(r.text) {
		return r.fail(endsEarly)
	}
	at := len(r.nodes)
	if at == MaxNodes {
		return r.fail(tooMany)
	}
	n.start, n.next = uint32(r.pos), uint32(at+1)
	ok := true
	switch c := r.text[r.pos]; c {
	case '{', '[':
		if depth == MaxDepth {
			return r.fail(tooDeep)
		}
		return r.holder(c, n, depth+1)
	case '"':
		n.kind = text
		n.start, n.end, n.escaped, ok = r.string()
	case 't':
		n.kind, ok = yes, r.literal("true")
	case 'f':
		n.kind, ok = no, r.literal("false")
	case 'n':
		n.kind, ok = null, r.literal("null")
	default:
		n.kind, ok = number, r.number()
	}
	if n.kind != text {
		n.end = uint32(r.pos)
	}
	r.nodes = append(r.nodes, n)
	return ok
}

// holder reads an object or a list, and then knows where it ends.
func (r *jsonReader) holder(c byte, n node, depth int) bool {
	at := len(r.nodes)
	n.kind = list
	if c == '{' {
		n.kind = object
	}
	r.nodes = append(r.nodes, n)
	r.pos++
	read := r.list
	if n.kind == object {
		read = r.object
	}
	ok := read(depth)
	r.nodes[at].end, r.nodes[at].next = uint32(r.pos), uint32(len(r.nodes))
	return ok
}

func (r *jsonReader) object(depth int) bool {
	if r.take('}') {
		return true
	}
	keys := keys{of: &r.document, first: len(r.nodes)}
	for {
		r.space()
		began := r.pos
		var n node
		var ok bool
		if n.key, n.keyEnd, n.escapedKey, ok = r.string(); !ok {
			return false
		}
		if !keys.add(n) {
			r.pos = began
			return r.fail(repeatedKey)
		}
		if !r.take(':') || !r.value(n, depth) {
			return false
		}
		if r.take('}') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

func (r *jsonReader) list(depth int) bool {
	if r.take(']') {
		return true
	}
	for {
		if !r.value(node{}, depth) {
			return false
		}
		if r.take(']') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

// string reads a text and returns where it stands between its quotes.
func (r *jsonReader) string() (start, end uint32, escaped, ok bool) {
	quote := r.pos
	if !r.take('"') {
		return 0, 0, false, false
	}
	for ; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			return uint32(quote + 1), uint32(r.pos - 1), false, true
		case c == '\\':
			ok = r.escaped(quote)
			return uint32(quote + 1), uint32(r.pos - 1), true, ok
		case c < ' ':
			return 0, 0, false, r.fail(notJSON)
		}
	}
	return 0, 0, false, r.fail(endsEarly)
}

// escaped leaves the rare string with a backslash to encoding/json.
func (r *jsonReader) escaped(quote int) bool {
	for ; r.pos < len(r.text); r.pos++ {
		switch r.text[r.pos] {
		case '\\':
			r.pos++
		case '"':
			r.pos++
			var plain string
			if err := json.Unmarshal([]byte(r.text[quote:r.pos]), &plain); err != nil {
				r.pos = quote
				return r.fail(notJSON)
			}
			return true
		}
	}
	r.pos = len(r.text)
	return r.fail(endsEarly)
}

func (r *jsonReader) literal(word string) bool {
	if !strings.HasPrefix(r.text[r.pos:], word) {
		return r.fail(notJSON)
	}
	r.pos += len(word)
	return true
}

func (r *jsonReader) number() bool {
	size := numberLen(r.text[r.pos:])
	if size == 0 {
		return r.fail(notJSON)
	}
	r.pos += size
	return true
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return len(text)
}
