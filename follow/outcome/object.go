package outcome

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbridge/untrusted"
)

// Bounds of a call object. callab passes on 256 KiB at most.
const (
	maxObjectBytes = 1 << 20
	maxLevels      = 64
	maxNumberBytes = 64
	maxOutcomes    = 256
	maxValueRunes  = 160
)

// object is a call object as Callab wrote it. No field is certain to be there, or to have
// its documented type.
type object map[string]any

// parse reads a call object. The error is one sentence without a value of the object.
func parse(raw json.RawMessage) (object, error) {
	if len(raw) > maxObjectBytes {
		return nil, errors.New("the call object is larger than 1 MiB")
	}
	err := untrusted.CheckJSON(raw, maxLevels, func(number []byte) bool {
		return len(number) > maxNumberBytes || untrusted.IsInfinite(string(number))
	})
	if err != nil {
		return nil, errors.New("the call object cannot be read: " + err.Error())
	}
	var o object
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&o); err != nil || o == nil {
		return nil, errors.New("the call is not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the call is more than one JSON object")
	}
	return o, nil
}

// isEmpty reports whether a value says nothing: null, "", {}, [].
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// text returns a text field; "" if it is missing or no text.
func (o object) text(name string) string {
	text, _ := o[name].(string)
	return strings.TrimSpace(text)
}

// word returns a text field in one spelling.
func (o object) word(name string) string { return word(o.text(name)) }

// number returns a number field, also one that is written as a text. Unread is true for
// a value that is there and is no number above or equal to 0.
func (o object) number(name string) (value float64, ok, unread bool) {
	if isEmpty(o[name]) {
		return 0, false, false
	}
	written, isNumber := scalar(o[name])
	value, err := strconv.ParseFloat(written, 64)
	if !isNumber || err != nil || value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, false, true
	}
	return value, true, false
}

// scalar returns a text, number or bool as a text.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// timeLayouts are those of Callab's pages; a time without a zone is taken for UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"}

// time returns a time field. Years outside of 2000 to 2099 are mistakes of a clock or a
// default such as 0001-01-01.
func (o object) time(name string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		at, err := time.Parse(layout, o.text(name))
		if err == nil && at.Year() >= 2000 && at.Year() < 2100 {
			return at, true
		}
	}
	return time.Time{}, false
}

// end returns when the call ended, or the nearest time that is known.
func (o object) end() (time.Time, bool) {
	for _, name := range []string{"ended_at", "updated_at", "created_at"} {
		if at, ok := o.time(name); ok {
			return at, true
		}
	}
	return time.Time{}, false
}

// texts returns the members of an object as texts: metadata, variables, outcomes. Names are
// words. A member may be {"value": …}, and the whole a list of {"name": …, "value": …}, or
// a text with one of these as JSON: the shape is not documented.
func (o object) texts(name string) map[string]string {
	found := map[string]string{}
	collect(found, o[name], true)
	return found
}

func collect(found map[string]string, value any, mayBeText bool) {
	add := func(name string, value any) {
		if inner, ok := value.(map[string]any); ok {
			value = inner["value"]
		}
		text, ok := scalar(value)
		key := word(name)
		if !ok || key == "" || len(found) >= maxOutcomes {
			return
		}
		if other, repeated := found[key]; repeated && other != text {
			// "Opt out" and "opt_out" that differ: neither may win.
			text = other + " / " + text
		}
		found[key] = text
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			add(name, v[name])
		}
	case []any:
		for _, item := range v {
			member, _ := item.(map[string]any)
			for _, label := range []string{"name", "key", "field"} {
				if name, ok := member[label].(string); ok {
					add(name, member["value"])
					break
				}
			}
		}
	case string:
		var inner any
		if mayBeText && json.Unmarshal([]byte(v), &inner) == nil {
			collect(found, inner, false)
		}
	}
}

// quote is a value of the object as evidence.
func quote(kind Kind, path, value string) Evidence {
	return Evidence{Kind: kind, Path: path, Value: untrusted.Cut(untrusted.Redact(untrusted.Line(value)), maxValueRunes)}
}
