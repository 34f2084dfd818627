package payload

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeForm parses application/x-www-form-urlencoded with the bracket keys of
// PHP, which ActiveCampaign, jQuery and most form builders send:
//
//	contact[email]=…   {"contact": {"email": …}}
//	tag[]=a&tag[]=b    {"tag": ["a", "b"]}
//	tag=a&tag=b        {"tag": ["a", "b"]}
//	item[0]=a          {"item": ["a"]}, if the keys are 0, 1, 2 … without a gap
//
// A key with other brackets ("Phone [mobile] no.") is a plain name. A body in which
// the same key is a text and an object is refused.
func decodeForm(body []byte, set charset) (Value, error) {
	b := formBuilder{charset: set, root: map[string]any{}}
	text := string(body)
	offset := 0
	for pair := range strings.SplitSeq(text, "&") {
		if err := b.add(pair); err != nil {
			return nil, syntaxErrorAt(URLEncoded, text, offset, err)
		}
		offset += len(pair) + 1
	}
	for key, member := range b.root {
		b.root[key] = listed(member)
	}
	return b.root, nil
}

type formBuilder struct {
	charset charset
	root    map[string]any
	nodes   int
}

func (b *formBuilder) add(pair string) error {
	if pair == "" {
		return nil
	}
	escapedKey, escapedValue, _ := strings.Cut(pair, "=")
	key, err := b.unescape(escapedKey)
	if err != nil {
		return err
	}
	value, err := b.unescape(escapedValue)
	if err != nil {
		return err
	}
	return b.put(splitKey(key), value)
}

// unescape converts the character set last, because a form escapes its bytes.
func (b *formBuilder) unescape(text string) (string, error) {
	text, err := url.QueryUnescape(text)
	if err != nil {
		return "", brokenEscape // err quotes the body
	}
	text = string(b.charset.toUTF8([]byte(text)))
	if !utf8.ValidString(text) {
		return "", notUTF8
	}
	return text, nil
}

// splitKey returns the keys from the root to a value. The last is empty where the
// value is appended to a list.
func splitKey(name string) []string {
	open := strings.IndexByte(name, '[')
	if open <= 0 || !strings.HasSuffix(name, "]") {
		return []string{name}
	}
	inner := strings.Split(name[open+1:len(name)-1], "][")
	for i, key := range inner {
		if strings.ContainsAny(key, "[]") || key == "" && i < len(inner)-1 {
			return []string{name}
		}
	}
	return append([]string{name[:open]}, inner...)
}

func (b *formBuilder) put(keys []string, value string) error {
	if len(keys) >= MaxDepth {
		return tooDeep
	}
	if b.nodes += len(keys); b.nodes > MaxNodes {
		return tooMany
	}
	last := len(keys) - 1
	appended := last > 0 && keys[last] == ""
	if appended {
		last--
	}
	object := b.root
	for _, key := range keys[:last] {
		if object[key] == nil {
			object[key] = map[string]any{}
		}
		inner, ok := object[key].(map[string]any)
		if !ok {
			return mixedKey
		}
		object = inner
	}
	switch old := object[keys[last]].(type) {
	case nil:
		object[keys[last]] = value
		if appended {
			object[keys[last]] = []any{value}
		}
	case string:
		object[keys[last]] = []any{old, value}
	case []any:
		object[keys[last]] = append(old, value)
	default:
		return mixedKey
	}
	return nil
}

// listed replaces objects whose keys are 0, 1, 2 … by lists.
func listed(v Value) Value {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	list := make([]any, 0, len(object))
	for i := range len(object) {
		if item, ok := object[strconv.Itoa(i)]; ok {
			list = append(list, listed(item))
		}
	}
	if len(list) == len(object) {
		return list
	}
	for key, member := range object {
		object[key] = listed(member)
	}
	return object
}
