package untrusted

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Lines is a value of Fprintf that may have several lines and any length, such as
// indented JSON: its line ends are ours. All other values are on one line.
type Lines string

// Fprintf is fmt.Fprintf for a terminal: each text among the values passes Terminal, so
// that a value can neither control the terminal nor begin a line of its own.
func Fprintf(w io.Writer, format string, values ...any) error {
	clean := make([]any, len(values))
	for i, v := range values {
		clean[i] = printable(v)
	}
	_, err := fmt.Fprintf(w, format, clean...)
	return err
}

// ErrorLines returns the text of an error on one line, and the errors that errors.Join
// or a list of problems holds on a line each.
func ErrorLines(err error) Lines {
	joined, is := err.(interface{ Unwrap() []error })
	if !is || !strings.Contains(err.Error(), "\n") {
		return Lines(Line(err.Error()))
	}
	var texts, lines []string
	for _, each := range joined.Unwrap() {
		texts, lines = append(texts, each.Error()), append(lines, string(ErrorLines(each)))
	}
	if strings.Join(texts, "\n") != err.Error() {
		return Lines(Line(err.Error())) // one error that wraps several
	}
	return Lines(strings.Join(lines, "\n"))
}

// printable returns a value as text that is safe to print; numbers and bools as they
// are.
func printable(value any) any {
	switch v := value.(type) {
	case string:
		return Terminal(v)
	case Lines:
		return Visible(string(v))
	case error:
		return Terminal(v.Error())
	case fmt.Formatter, fmt.Stringer:
		return Terminal(fmt.Sprint(v))
	}
	switch kind := reflect.ValueOf(value).Kind(); {
	case kind >= reflect.Bool && kind <= reflect.Complex128:
		return value
	case kind == reflect.String, kind == reflect.Slice:
		return Terminal(fmt.Sprintf("%s", value))
	}
	return Terminal(fmt.Sprint(value))
}

// NewWriter returns a writer that passes on printable text, newlines and tabs. It
// escapes what Visible removes as \u009b does, which is also how JSON writes it. All
// output of a command goes through it: it is the second line of defence.
func NewWriter(w io.Writer) io.Writer { return &writer{next: w} }

type writer struct {
	next io.Writer
	// rest is the beginning of a character whose end is not written yet.
	rest []byte
	last rune
}

// Write escapes and writes p.
func (w *writer) Write(p []byte) (int, error) {
	if len(w.rest) == 0 && isTerminalSafe(p) {
		w.last = 0
		return w.next.Write(p)
	}
	text := string(append(w.rest, p...))
	w.rest = nil
	out := make([]byte, 0, len(text)+16)
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && !utf8.FullRuneInString(text[at:]) {
			w.rest = []byte(text[at:])
			break
		}
		if isHidden(r, size, w.last, text[at:]) {
			out = appendEscape(out, r)
		} else {
			out = append(out, text[at:at+size]...)
			w.last = r
		}
		at += size
	}
	_, err := w.next.Write(out)
	return len(p), err
}

// isTerminalSafe reports whether text is printable ASCII with newlines and tabs.
func isTerminalSafe(text []byte) bool {
	for _, c := range text {
		if c < ' ' && c != '\n' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// isHidden reports whether a terminal must not get the character. Blanks of all kinds
// may pass.
func isHidden(r rune, size int, last rune, rest string) bool {
	switch {
	case r == utf8.RuneError && size == 1:
		return true
	case r == '\n', r == '\t', r == utf8.RuneError:
		return false
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	}
	return visible(r, last, rest) == 0
}

// appendEscape appends \uXXXX, or two of them for a character beyond the first plane.
func appendEscape(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
