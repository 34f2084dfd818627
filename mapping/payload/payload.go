// Package payload turns the body of a webhook into one tree and finds values
// in it: the first half of the mapping step, between the verified bytes that
// handlers received and the typed fields that mapping reads. JSON, forms and
// XML end in the same tree, so that a path in the configuration does not know
// in what form a CRM writes. A body that can be read in two ways is refused,
// never guessed. It imports no other step.
package payload

import (
	"bytes"
	"strings"
)

// Value is a node of the tree: map[string]any, []any, string, json.Number
// (with the digits that were sent), bool or nil. Forms and XML know no types:
// their leaves are strings, but for the nil of xsi:nil="true". What comes of
// Scan and Parts may also be a Part, until it is opened.
type Value = any

// Limits of a tree, whatever form it came in. The body's size is limited by
// whoever reads it.
const (
	// MaxDepth is how many lists and objects may stand in each other. The
	// deepest CRM payload known (Dynamics 365 with images) has 12.
	MaxDepth = 64
	// MaxNodes is how many values a body may hold. A hundred notifications
	// of Salesforce with two hundred fields each are 20 000.
	MaxNodes = 100_000
)

// Form is how a body is written.
type Form string

// The forms. Auto, the zero value, goes by the content type.
const (
	Auto       Form = ""
	JSON       Form = "json"
	URLEncoded Form = "form"
	XML        Form = "xml"
)

// Decode reads a body into a tree. The form goes by the content type, and
// without one by the first character, unless form says which it is. The
// character set is that of the content type; UTF-8 where it names none.
//
// The error is ErrUnsupported (415: not a form or character set that is read
// here) or a *SyntaxError (400: not well-formed, ambiguous or over a limit).
func Decode(contentType string, form Form, body []byte) (Value, error) {
	tree, err := Scan(contentType, form, body)
	return Open(tree), err
}

// Scan is Decode, but leaves a JSON object or list as a Part, for those who
// need little of it. What either returns lies in body, which nobody may change
// any more.
func Scan(contentType string, form Form, body []byte) (Value, error) {
	m, err := mediaOf(contentType, form, body)
	if err != nil {
		return nil, err
	}
	body = bytes.TrimPrefix(body, utf8BOM)
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &SyntaxError{Form: m.form, Problem: "the body is empty"}
	}
	switch m.form {
	case URLEncoded:
		return decodeForm(body, m.charset)
	case XML:
		return decodeXML(body, m.charset)
	default:
		return partOfJSON(body, m.charset)
	}
}

func partOfJSON(body []byte, set charset) (Value, error) {
	read, err := scanJSON(body, set)
	if err != nil {
		return nil, err
	}
	return cursor{in: read}.part(), nil
}

// Present reports whether v says anything: null, the empty string and a string
// of white space count as not there, since CRMs send all three for a field
// that nobody filled in.
func Present(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return strings.TrimSpace(v) != ""
	default:
		return true
	}
}
