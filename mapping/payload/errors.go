package payload

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrUnsupported is in every error about a body whose media type or character
// set is not read here: the sender is to be told 415.
var ErrUnsupported = errors.New("unsupported")

// SyntaxError is a body that cannot be read, or only in two ways: the sender
// is to be told 400. Its text holds nothing of the body.
type SyntaxError struct {
	Form Form
	// Line and Column count from 1, Column in characters. Line is 0 where the
	// problem has no one place.
	Line, Column int
	Problem      string
}

// Error returns the form, the place and the problem.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("read %s body: %s", e.Form, e.Problem)
	}
	return fmt.Sprintf("read %s body: line %d, column %d: %s", e.Form, e.Line, e.Column, e.Problem)
}

// problem is what is wrong with a body in our words, since those of the standard
// library quote it.
type problem string

const (
	notUTF8      problem = "not UTF-8"
	notJSON      problem = "not JSON"
	notXML       problem = "not XML"
	endsEarly    problem = "the text ends too early"
	tooDeep      problem = "nested too deeply"
	tooMany      problem = "too many values"
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

// syntaxErrorAt places a problem at a byte of the body.
func syntaxErrorAt(form Form, body string, offset int, p error) *SyntaxError {
	before := body[:min(max(offset, 0), len(body))]
	line := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Form:    form,
		Line:    line,
		Column:  utf8.RuneCountInString(before[start:]) + 1,
		Problem: p.Error(),
	}
}
