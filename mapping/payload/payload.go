// Package payload parses the body of a webhook into a tree and finds values in it
// by paths: the first half of the mapping step, between the verified bytes of a
// delivery and the typed fields that mapping converts. JSON, forms and XML become
// the same tree, so a path in the configuration does not depend on the format that
// a CRM sends. An ambiguous body is an error, never a guess. It imports no
// package of this module.
package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/encoding/charmap"
)

// Value is a node of the tree: map[string]any, []any, string, json.Number
// (with the digits that were sent), bool or nil. Forms and XML have no types:
// their leaves are strings, except that xsi:nil="true" is nil.
type Value = any

// Limits of a tree, in every format. The caller limits the size of the body.
const (
	// MaxDepth is how deep lists and objects may be nested. The
	// deepest CRM payload known (Dynamics 365 with images) has 12.
	MaxDepth = 64
	// MaxNodes is how many values a body may have. A hundred notifications
	// of Salesforce with two hundred fields each are 20 000.
	MaxNodes = 100_000
	// MaxNumber is how many characters a number may have, and maxExponent how many
	// digits its exponent: other readers of the results break at more.
	MaxNumber   = 64
	maxExponent = 3
)

// Format is the syntax of a body.
type Format string

// The formats. Auto, the zero value, chooses by the content type.
const (
	Auto       Format = ""
	JSON       Format = "json"
	URLEncoded Format = "form"
	XML        Format = "xml"
)

// Decode parses a body. The format is chosen by the content type, and without one
// by the first character, unless format names it. The character set is that of the
// content type; UTF-8 where it names none.
//
// The error is ErrUnsupported (415: a format or character set that is not
// supported) or a *SyntaxError (400: not well-formed, ambiguous or over a limit).
func Decode(contentType string, format Format, body []byte) (Value, error) {
	m, err := mediaOf(contentType, format, body)
	if err != nil {
		return nil, err
	}
	body = bytes.TrimPrefix(body, utf8BOM)
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &SyntaxError{Format: m.format, Problem: "the body is empty"}
	}
	switch m.format {
	case URLEncoded:
		return decodeForm(body, m.charset)
	case XML:
		return decodeXML(body, m.charset)
	default:
		return decodeJSON(body, m.charset)
	}
}

// Present reports whether v has content. Null, the empty string and a string of
// white space have none: CRMs send all three for a field that is not filled in.
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

// ErrUnsupported is wrapped by every error about a media type or character set
// that is not supported (HTTP 415).
var ErrUnsupported = errors.New("unsupported")

// SyntaxError is a body that is not well-formed, ambiguous or over a limit
// (HTTP 400). Its text quotes nothing of the body.
type SyntaxError struct {
	Format Format
	// Line and Column count from 1, Column in characters. Line is 0 where the
	// problem has no single position.
	Line, Column int
	Problem      string
}

// Error returns the format, the position and the problem.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("read %s body: %s", e.Format, e.Problem)
	}
	return fmt.Sprintf("read %s body: line %d, column %d: %s", e.Format, e.Line, e.Column, e.Problem)
}

// problem is what is wrong with a body. Parsers' own messages are not used,
// because they quote the body.
type problem string

const (
	notUTF8      problem = "not UTF-8"
	notJSON      problem = "not JSON"
	lineBreak    problem = "not JSON: a line break or another control character in a text, which JSON writes as \\n"
	badEscape    problem = "not JSON: a \\ in a text, which JSON writes as \\\\"
	commaAtEnd   problem = "not JSON: a comma before } or ]"
	wrongBracket problem = "not JSON: a } or ] where a value or another bracket belongs"
	otherQuotes  problem = "not JSON: a text in other quotes than \""
	comment      problem = "not JSON: a comment"
	markup       problem = "not JSON: HTML or XML"
	noComma      problem = "not JSON: a comma or a colon is missing before this"
	badNumber    problem = "not JSON: a number that JSON does not have"
	noQuotes     problem = "not JSON: a word without quotes"
	notXML       problem = "not XML"
	endsEarly    problem = "the text ends too early"
	tooDeep      problem = "nested too deeply"
	tooMany      problem = "too many values"
	tooLong      problem = "a number of more than 64 characters, with an exponent of more than 3 digits, or beyond 1e308"
	trailingText problem = "more text after the end of the value"
	repeatedKey  problem = "a key that its object already has"
	repeatedAttr problem = "an attribute that its element already has"
	mixedKey     problem = "a key that is both a text and an object"
	brokenEscape problem = "a % that two hex digits do not follow"
	documentType problem = "a document type is not allowed"
	secondRoot   problem = "a second root element"
	textOutside  problem = "text outside of the root element"
)

// Error returns the problem.
func (p problem) Error() string { return string(p) }

// syntaxErrorAt converts the offset of a problem to line and column.
func syntaxErrorAt(format Format, body string, offset int, p error) *SyntaxError {
	before := body[:min(max(offset, 0), len(body))]
	line := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Format:  format,
		Line:    line,
		Column:  utf8.RuneCountInString(before[start:]) + 1,
		Problem: p.Error(),
	}
}

var utf8BOM = []byte("\xef\xbb\xbf")

// media is the parsed content type of a body.
type media struct {
	format  Format
	charset charset
}

// usualType is the content type of nearly all webhooks. It needs no parsing.
const usualType = "application/json"

func mediaOf(contentType string, format Format, body []byte) (media, error) {
	// After an error name is still set if only a parameter is broken. If the media
	// type itself is broken, format or the first character decides.
	name, params := contentType, map[string]string(nil)
	if name != usualType {
		name, params, _ = mime.ParseMediaType(contentType)
	}
	set, err := charsetNamed(params["charset"])
	if err != nil {
		return media{}, err
	}
	if format == Auto {
		format = formatNamed(name)
	}
	unnamed := strings.TrimSpace(contentType) == "" && format == Auto
	// curl sends the content type of a form by default. A JSON object is never a
	// form.
	mistaken := format == URLEncoded && sniff(body) == JSON && jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if unnamed || mistaken {
		format = sniff(body)
	}
	switch format {
	case JSON, URLEncoded, XML:
		return media{format: format, charset: set}, nil
	case Auto:
		return media{}, fmt.Errorf("read body: content type %.100q is neither JSON, form nor XML: %w", contentType, ErrUnsupported)
	default:
		return media{}, fmt.Errorf("read body: form %q: %w", format, ErrUnsupported)
	}
}

// formatNamed returns the format of a media type, also by the structured syntax
// suffixes of RFC 6839 and RFC 7303.
func formatNamed(mediaType string) Format {
	switch {
	case mediaType == "application/json", mediaType == "text/json", strings.HasSuffix(mediaType, "+json"):
		return JSON
	case mediaType == "application/x-www-form-urlencoded":
		return URLEncoded
	case mediaType == "application/xml", mediaType == "text/xml", strings.HasSuffix(mediaType, "+xml"):
		return XML
	default:
		return Auto
	}
}

// sniff chooses the format by the first character, for senders without a content
// type; Dynamics 365 documents none.
func sniff(body []byte) Format {
	text := bytes.TrimSpace(bytes.TrimPrefix(body, utf8BOM))
	if len(text) == 0 {
		return Auto
	}
	switch text[0] {
	case '{', '[':
		return JSON
	case '<':
		return XML
	default:
		return Auto
	}
}

// charset is a character set that a body may be in.
type charset string

const (
	unnamed     charset = ""
	utf8Set     charset = "utf-8"
	windows1252 charset = "windows-1252"
)

// charsetNamed treats ISO 8859-1 as its superset windows-1252, as the WHATWG
// Encoding Standard demands, and US-ASCII as UTF-8.
func charsetNamed(label string) (charset, error) {
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "":
		return unnamed, nil
	case "utf-8", "utf8", "us-ascii", "ascii":
		return utf8Set, nil
	case "iso-8859-1", "iso8859-1", "latin1", "windows-1252", "cp1252":
		return windows1252, nil
	default:
		return "", fmt.Errorf("read body: character set %.40q: %w", label, ErrUnsupported)
	}
}

// toUTF8 returns text itself where it needs no conversion. The result is not
// checked: a body that claims to be UTF-8 may not be.
func (c charset) toUTF8(text []byte) []byte {
	if c != windows1252 {
		return text
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(text)
	if err != nil {
		return text // impossible: each of the 256 bytes is a character
	}
	return out
}

func (c charset) reader(input io.Reader) io.Reader {
	if c != windows1252 {
		return input
	}
	return charmap.Windows1252.NewDecoder().Reader(input)
}
