package field

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/mapping/payload"
)

// Input is what the values of one event are read from: the event itself, its
// delivery, and the answer of its lookup.
type Input struct {
	// Body is the tree of the event, Root that of the whole delivery.
	Body, Root payload.Value
	Header     http.Header
	URL        *url.URL
	// Kept are values by path of a delivery that is no longer available: the
	// event came from the bus. See Set.DeliveryValues.
	Kept map[string]any
	// Answer is the tree that the CRM's API answered.
	Answer payload.Value
	// Pending says that there will be an answer, but is none yet.
	Pending bool
	// NoLookup is the reason why there will be no answer.
	NoLookup string
	// NullWords are the source's words for no value, in lower case.
	NullWords []string
	// KeepPlaceholders: a merge tag that the CRM has not filled in is a value.
	KeepPlaceholders bool
}

// find returns the first present value at the path.
func (p *Path) find(in *Input) (payload.Value, bool) {
	if p.many {
		for _, v := range p.all(in) {
			return v, true
		}
		return nil, false
	}
	found, _ := p.raw(in)
	return found, in.isPresent(found) && !(p.wraps && isObject(found))
}

// tree returns the tree into which the path leads; false if it leads into none.
func (p *Path) tree(in *Input) (payload.Value, bool) {
	switch p.origin {
	case fromBody:
		return in.Body, true
	case fromRoot:
		return in.Root, true
	case fromLookup:
		return in.Answer, true
	}
	return nil, false
}

// raw returns what is at the path, whatever it is.
func (p *Path) raw(in *Input) (found payload.Value, ok bool) {
	switch p.origin {
	case fromBody, fromRoot, fromLookup:
		tree, _ := p.tree(in)
		found, ok = p.path.Lookup(tree)
	case fromHeader:
		found, ok = in.Header.Get(p.name), in.Header.Get(p.name) != ""
	case fromQuery:
		query := in.URL.Query()
		found, ok = query.Get(p.name), query.Has(p.name)
	case fromSHA256:
		found, ok = in.digest(p), true
	case fromInstant:
		found, ok = in.instant(p)
	case fromText:
		found, ok = p.name, true
	}
	if len(in.Kept) > 0 {
		if kept, ok := in.Kept[p.String()]; ok {
			found, ok = kept, true
		}
	}
	return found, ok
}

// all returns all present values of a path with [*].
func (p *Path) all(in *Input) []payload.Value {
	return slices.DeleteFunc(p.allRaw(in), func(v payload.Value) bool {
		return !in.isPresent(v) || p.wraps && isObject(v)
	})
}

// allRaw returns what is at a path with [*], whatever it is.
func (p *Path) allRaw(in *Input) []payload.Value {
	tree, _ := p.tree(in)
	values := p.path.All(tree)
	if kept, ok := in.Kept[p.String()].([]any); ok {
		values = slices.Clone(kept)
	}
	return values
}

// rawText returns the text at a path where find finds no value: a placeholder, or a
// word for no value.
func (p *Path) rawText(in *Input) (string, bool) {
	if _, inTree := p.tree(in); p.many || !inTree {
		return "", false
	}
	found, _ := p.raw(in)
	text, ok := found.(string)
	return text, ok && strings.TrimSpace(text) != ""
}

// each returns the present values at the path: one, or all of a path with [*].
func (p *Path) each(in *Input) []payload.Value {
	if p.many {
		return p.all(in)
	}
	if v, ok := p.find(in); ok {
		return []payload.Value{v}
	}
	return nil
}

// text returns the first single value at the path: its text, or the digits of a
// number.
func (p *Path) text(in *Input) (string, bool) {
	v, ok := p.find(in)
	if !ok {
		return "", false
	}
	text, ok := Scalar(v)
	return strings.TrimSpace(text), ok
}

// digest is the SHA-256 of the event's tree, or of a part of it, as JSON with
// sorted keys: a sender that repeats an event may change the order of its keys.
// A part without a value has no digest.
func (in *Input) digest(p *Path) string {
	if p.name == fromBody {
		return in.Digest()
	}
	part, _ := p.path.Lookup(in.Body)
	if !in.isPresent(part) {
		return ""
	}
	return digest(part)
}

// instant is a time of the body to the millisecond: RFC 3339, or Unix seconds,
// milliseconds or microseconds. One event has the same instant in every version of a CRM's webhooks.
func (in *Input) instant(p *Path) (payload.Value, bool) {
	value, _ := p.path.Lookup(in.Body)
	text, _ := Scalar(value)
	if t, ok := ParseTime(text, []string{"rfc3339"}, nil); ok {
		return t.UTC().Format(instantLayout), true
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number <= 0 {
		return nil, false
	}
	switch len(text) {
	case 10:
		number *= 1000
	case 13:
	case 16:
		number /= 1000
	default:
		return nil, false
	}
	return time.UnixMilli(number).UTC().Format(instantLayout), true
}

const instantLayout = "2006-01-02T15:04:05.000Z"

// Digest is sha256:body, the SHA-256 of the event's tree.
func (in *Input) Digest() string { return digest(in.Body) }

func digest(tree payload.Value) string {
	text, err := payload.Encode(tree)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// isPresent reports whether a value is more than null, a text of which nothing can
// be seen, an unfilled placeholder, an empty list or one of the source's words for
// no value.
func (in *Input) isPresent(v payload.Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case []any:
		return len(v) > 0
	case string:
		if strings.TrimSpace(v) == "" || !in.KeepPlaceholders && isEmpty(v) {
			return false
		}
		return len(in.NullWords) == 0 || !slices.Contains(in.NullWords, NormalWord(v))
	}
	return true
}

// NormalWord is the form in which words for no value are compared.
func NormalWord(word string) string { return strings.ToLower(strings.TrimSpace(word)) }

// Scalar returns the text of a single value. Objects and lists have no text.
func Scalar(v payload.Value) (string, bool) {
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

func isObject(v payload.Value) bool {
	_, ok := v.(map[string]any)
	return ok
}
