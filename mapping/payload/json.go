package payload

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"callbridge/untrusted"
)

// decodeJSON parses RFC 8259 JSON. It refuses what that standard leaves open: an
// object that has a key twice (parsers differ in which one they use) and text that
// is not UTF-8. An escaped half of a surrogate pair becomes U+FFFD, because CRMs cut
// long texts in the middle of a pair.
func decodeJSON(body []byte, set charset) (Value, error) {
	text := set.toUTF8(body)
	if !utf8.Valid(text) {
		return nil, syntaxErrorAt(JSON, string(text), invalidUTF8(text), notUTF8)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	r := jsonReader{text: string(text), dec: dec}
	tree, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if end := r.skip(" \t\r\n"); end < len(text) {
		return nil, r.fail(end, trailingText)
	}
	return tree, nil
}

// jsonReader makes a tree of the decoder's values. It refuses repeated keys
// itself: the decoder would keep a second set of them for that.
type jsonReader struct {
	// text is the whole body. Strings of the tree are parts of it.
	text  string
	dec   *jsontext.Decoder
	nodes int
}

// value reads a value inside of depth lists and objects.
func (r *jsonReader) value(depth int) (Value, error) {
	kind := r.dec.PeekKind()
	if r.nodes++; r.nodes > MaxNodes {
		return nil, r.fail(r.next(), tooMany)
	}
	if depth == MaxDepth && (kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray) {
		return nil, r.fail(r.next(), tooDeep)
	}
	switch kind {
	case jsontext.KindBeginObject:
		return r.object(depth + 1)
	case jsontext.KindBeginArray:
		return r.list(depth + 1)
	}
	text, err := r.scalar()
	switch kind {
	case jsontext.KindString:
		return text, err
	case jsontext.KindNumber:
		if err == nil && !isShort(text) {
			return nil, r.fail(int(r.dec.InputOffset())-len(text), tooLong)
		}
		return stdjson.Number(text), err
	case jsontext.KindTrue, jsontext.KindFalse:
		return kind == jsontext.KindTrue, err
	default:
		return nil, err
	}
}

// isShort reports whether a number is within MaxNumber, and a float64 if it has an
// exponent: readers in Go and Rust refuse 1e400, and all that is around it.
func isShort(number string) bool {
	if len(number) > MaxNumber {
		return false
	}
	i := strings.LastIndexAny(number, "eE")
	if i < 0 {
		return true
	}
	return !untrusted.IsInfinite(number) && len(strings.TrimLeft(number[i+1:], "+-")) <= maxExponent
}

// scalar reads a string, unquoted, or another single value as it is written.
func (r *jsonReader) scalar() (string, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return "", r.problem(err)
	}
	end := int(r.dec.InputOffset())
	text := r.text[end-len(raw) : end]
	if raw.Kind() != jsontext.KindString {
		return text, nil
	}
	if strings.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1], nil
	}
	unquoted, _ := jsontext.AppendUnquote(nil, raw) // an error says only that a lone surrogate was replaced
	return string(unquoted), nil
}

func (r *jsonReader) object(depth int) (Value, error) {
	_, err := r.dec.ReadToken()
	object := map[string]any{}
	for err == nil {
		kind := r.dec.PeekKind()
		if kind == jsontext.KindEndObject {
			break
		}
		if kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
			return nil, r.fail(r.next(), notJSON) // not a key
		}
		at := r.next()
		var key string
		if key, err = r.scalar(); err != nil {
			return nil, err
		}
		if _, repeated := object[key]; repeated {
			return nil, r.fail(at, repeatedKey)
		}
		if object[key], err = r.value(depth); err != nil {
			return nil, err
		}
	}
	if err == nil {
		_, err = r.dec.ReadToken()
	}
	return object, r.problem(err)
}

func (r *jsonReader) list(depth int) (Value, error) {
	_, err := r.dec.ReadToken()
	list := []any{}
	for err == nil && r.dec.PeekKind() != jsontext.KindEndArray {
		var item Value
		if item, err = r.value(depth); err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	if err == nil {
		_, err = r.dec.ReadToken()
	}
	return list, r.problem(err)
}

// problem converts an error of the decoder, whose text quotes the body.
func (r *jsonReader) problem(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.fail(len(r.text), endsEarly)
	}
	var syntax *jsontext.SyntacticError
	at := r.next()
	if errors.As(err, &syntax) && strings.HasPrefix(r.text[at:], `"`) {
		switch exact := int(syntax.ByteOffset); {
		case exact >= len(r.text):
		case r.text[exact] < ' ':
			return r.fail(exact, lineBreak)
		case r.text[exact] == '\\':
			return r.fail(at, badEscape)
		}
	}
	return r.fail(at, notJSONAt(r.text, at))
}

// notJSONAt says what is wrong where the decoder cannot go on.
func notJSONAt(text string, at int) problem {
	before := strings.TrimRight(text[:at], " \t\r\n")
	isAfterValue := before != "" && !strings.ContainsAny(before[len(before)-1:], "{[:,")
	switch rest := text[at:]; {
	case rest == "":
		return endsEarly
	case strings.HasPrefix(rest, "}"), strings.HasPrefix(rest, "]"):
		if strings.HasSuffix(before, ",") {
			return commaAtEnd
		}
		return wrongBracket
	case strings.HasPrefix(rest, "'"), strings.HasPrefix(rest, "“"), strings.HasPrefix(rest, "”"), strings.HasPrefix(rest, "’"):
		return otherQuotes
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"), strings.HasPrefix(rest, "#"):
		return comment
	case strings.HasPrefix(rest, "<"):
		return markup
	case isAfterValue && rest[0] == '"' || isAfterValue && (rest[0] == '{' || rest[0] == '['):
		return noComma
	case rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9':
		return badNumber
	case isKeyRune(rune(rest[0])) || rest[0] >= utf8.RuneSelf:
		return noQuotes
	}
	return notJSON
}

func (r *jsonReader) fail(offset int, p problem) error {
	return syntaxErrorAt(JSON, r.text, offset, p)
}

// next is the offset of the next token.
func (r *jsonReader) next() int { return r.skip(" \t\r\n,:") }

func (r *jsonReader) skip(bytes string) int {
	offset := int(r.dec.InputOffset())
	for offset < len(r.text) && strings.IndexByte(bytes, r.text[offset]) >= 0 {
		offset++
	}
	return offset
}

func invalidUTF8(text []byte) int {
	offset := 0
	for offset < len(text) {
		r, size := utf8.DecodeRune(text[offset:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		offset += size
	}
	return offset
}

// Encode writes a tree, a part of one, or a struct that holds some, as JSON:
// keys of maps sorted, numbers with the digits that were sent, and <, > and & as
// they are. The ids of events that have no key are digests of this text, so it
// must not change.
func Encode(v Value) (stdjson.RawMessage, error) {
	var text []byte
	var err error
	switch v.(type) {
	case map[string]any, []any, string, stdjson.Number:
		text, err = appendTree(make([]byte, 0, 1024), v)
	default:
		text, err = json.Marshal(v, encoding, treesInside)
	}
	if err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	return text, nil
}

// encoding writes Go values that are not trees.
var encoding = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// treesInside writes the maps in a struct as trees.
var treesInside = json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, object map[string]any) error {
	text, err := appendTree(enc.AvailableBuffer(), object)
	if err != nil {
		return err
	}
	return enc.WriteValue(text)
}))

func appendTree(b []byte, v Value) (_ []byte, err error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendText(b, v), nil
	case stdjson.Number:
		number := jsontext.Value(v)
		if number.Kind() != jsontext.KindNumber || !number.IsValid() {
			return nil, errors.New("not a number")
		}
		return append(b, v...), nil
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendTree(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		b = append(b, '{')
		keys := slices.AppendSeq(make([]string, 0, len(v)), maps.Keys(v))
		slices.Sort(keys)
		for i, key := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendTree(append(appendText(b, key), ':'), v[key]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	default:
		text, err := json.Marshal(v, encoding)
		return append(b, text...), err
	}
}

// appendText escapes U+2028 and U+2029 in a text that has another escape, and
// only there, as the first version did: see Encode.
func appendText(b []byte, text string) []byte {
	quoted, _ := jsontext.AppendQuote(b, text) // an error says only that invalid UTF-8 was replaced
	if strings.ContainsRune(text, '\u2028') || strings.ContainsRune(text, '\u2029') {
		if own := string(quoted[len(b):]); strings.Contains(own, `\`) {
			return append(b, lineSeparators.Replace(own)...)
		}
	}
	return quoted
}

var lineSeparators = strings.NewReplacer("\u2028", `\u2028`, "\u2029", `\u2029`)
