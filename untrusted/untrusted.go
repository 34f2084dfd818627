// Package untrusted makes text that somebody else wrote safe to show: text of a
// CRM, of Callab, of a client of NATS or of the sender of an HTTP request. All
// such text passes one of its functions before it reaches a log (Log), a terminal
// (Terminal), or the agent (Visible, Line).
//
//   - visible.go: remove invisible characters and terminal controls
//   - redact.go: mask telephone numbers
//   - untrusted.go: the functions for each place where text is shown
//   - handler.go: clean every value of a log line
//   - terminal.go: clean what a command prints
//   - network.go: describe a network error by one of a closed set of phrases
//   - secrets.go: replace our credentials in the answer of a peer
//   - json.go: refuse JSON that other readers cannot decode
//
// It imports nothing of this module.
package untrusted

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxLogged is the number of characters of one value in a log line.
	maxLogged = 64
	// maxPrinted is the number of characters of one value on a terminal.
	maxPrinted = 512
)

// Log returns text for an attribute of a log line: on one line, without invisible
// characters, with telephone numbers masked, and of 64 characters at most.
func Log(text string) string {
	if len(text) <= maxLogged && isShort(text) {
		return text
	}
	// The mask comes before the cut: a number that is cut in the middle is not recognised.
	// The first cut bounds the work.
	return Cut(redactWords(Cut(Line(text), 4*maxLogged)), maxLogged)
}

// Terminal returns text for one value on a terminal: on one line, without control
// characters, and of 512 characters at most. It does not mask telephone numbers.
func Terminal(text string) string { return Cut(Line(text), maxPrinted) }

// Cut returns the first characters of text, at most so many; an ellipsis takes the
// place of the last one if something was left out.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	count, end := 0, 0 // end is after most-1 characters
	for at := range text {
		if count == most-1 {
			end = at
		}
		if count == most {
			return text[:end] + "…"
		}
		count++
	}
	return text
}

// isShort reports whether Log would return text unchanged: printable ASCII without
// enough digits for a telephone number. Nearly all logged values are.
func isShort(text string) bool {
	if text == "" {
		return true
	}
	seen, digits := byte(0), 0
	for i := range len(text) {
		class := classes[text[i]]
		seen |= class
		digits += int(class & isDigit)
	}
	if seen&isOther != 0 || digits >= minPhoneDigits {
		return false
	}
	return seen&isBlank == 0 || !hasSpaceToFold(text)
}

// The classes of a byte: a digit, a blank, another printable character (0), or a byte
// that is not printable ASCII.
const isDigit, isBlank, isOther = 1, 2, 4

// classes has the class of each byte.
var classes = func() (classes [256]byte) {
	for c := range classes {
		switch {
		case c >= '0' && c <= '9':
			classes[c] = isDigit
		case c == ' ':
			classes[c] = isBlank
		case c < ' ' || c > '~':
			classes[c] = isOther
		}
	}
	return classes
}()

// Line is Visible on one line: each run of white space becomes one blank, and
// there is none at the ends.
func Line(text string) string {
	if !isPlain(text) {
		text = Visible(text)
	}
	if !hasSpaceToFold(text) {
		return text
	}
	return strings.Join(strings.Fields(text), " ")
}

func hasSpaceToFold(text string) bool {
	last := byte(' ')
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c == ' ' && last == ' ' {
			return true
		}
		last = c
	}
	return text != "" && last == ' '
}

// isPlain reports whether text is printable ASCII.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == 0x7f {
			return false
		}
	}
	return true
}
