package callab

import (
	"bytes"
	"encoding/json"

	"callbridge/untrusted"
)

// Bounds of a call object that is passed on in results. Readers of other
// languages fail on deep objects and on very long numbers.
const (
	maxCallBytes   = 256 << 10
	maxCallLevels  = 64
	maxNumberBytes = 64
	// maxIDBytes bounds the id of a call; Callab documents UUIDs.
	maxIDBytes = 128
	// maxValueRunes bounds a text of a reduced object.
	maxValueRunes = 128
)

// validID reports whether text can be the id of a call: visible ASCII, so that it
// is one word in a log, a path and a terminal.
func validID(text string) bool {
	if text == "" || len(text) > maxIDBytes {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// bounded returns a copy of a call object, or only its known texts if it exceeds
// a bound.
func bounded(data []byte, c *Call) json.RawMessage {
	if len(data) <= maxCallBytes && withinBounds(data) {
		return bytes.Clone(data)
	}
	text := func(s string) string { return untrusted.Cut(untrusted.Line(s), maxValueRunes) }
	reduced := map[string]any{"id": text(c.ID), "call_to": text(c.CallTo), "call_status": text(c.CallStatus)}
	if !c.CreatedAt.IsZero() {
		reduced["created_at"] = c.CreatedAt.Time
	}
	raw, err := json.Marshal(reduced)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

// withinBounds reports whether valid JSON is neither too deep nor holds a number
// that is too long or no float64.
func withinBounds(data []byte) bool {
	return untrusted.CheckJSON(data, maxCallLevels, func(number []byte) bool {
		return len(number) > maxNumberBytes || bytes.ContainsAny(number, "eE") && untrusted.IsInfinite(string(number))
	}) == nil
}
