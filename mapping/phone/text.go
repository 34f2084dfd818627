package phone

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxBytes is more than two numbers with their extensions take.
const maxBytes = 64

// quotes around a number are left by spreadsheets ('+49…) and by templates.
const quotes = "'\"`´‘’‚‛“”„‟«»‹›"

// clean drops what people and programs leave around a number without meaning
// it, and refuses what is no number at all.
func clean(raw string) (string, error) {
	text := strings.TrimSpace(raw)
	if len(text) > maxBytes {
		return "", &Error{Reason: TooLong, Detail: fmt.Sprintf("%d bytes", len(text))}
	}
	if !isASCII(text) && strings.ContainsFunc(text, isOddDigit) {
		return "", &Error{Reason: NotANumber, Detail: "superscripts or fractions among the digits"}
	}
	text = strings.TrimSpace(norm.NFKC.String(strings.Map(keep, text)))
	text = withoutScheme(text)
	digits, letters := count(text)
	if digits == 0 {
		return "", &Error{Reason: NotANumber, Detail: "no digits"}
	}
	if letters*4 > utf8.RuneCountInString(text) {
		return "", &Error{Reason: NotANumber, Detail: "more than a quarter are letters"}
	}
	return text, nil
}

// withoutScheme takes the tel: of a link away (RFC 3966).
func withoutScheme(text string) string {
	const scheme = "tel:"
	if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return text[len(scheme):]
	}
	return text
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isOddDigit finds what NFKC would turn into one more digit of the number: a
// footnote's ¹, ½, ①.
func isOddDigit(r rune) bool { return unicode.In(r, unicode.No, unicode.Nl) }

// keep drops quotes and format characters (zero-width spaces, the marks of
// writing direction that phones' address books add). A new line stays: it
// stands between numbers.
func keep(r rune) rune {
	switch {
	case r == '\n' || r == '\r':
		return '\n'
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Cf, r), strings.ContainsRune(quotes, r):
		return -1
	default:
		return r
	}
}

func count(text string) (digits, letters int) {
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits, letters
}
