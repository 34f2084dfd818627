package untrusted

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	brailleBlank       = '\u2800'
	keycap             = "\u20e3" // encloses the character before it
)

// Visible returns text without the characters that a reader cannot see:
//
//   - control characters other than newline and tab, which become a blank
//   - bidirectional controls, tag letters, zero-width characters, Hangul fillers
//     and the other code points that Unicode calls default ignorable
//     (DerivedCoreProperties.txt)
//   - private use, noncharacters and bytes that are not UTF-8
//
// Joiners stay between letters of scripts that join, and between the parts of an
// emoji; a variation selector stays behind the character that it varies. All kinds
// of space become an ordinary blank, all kinds of line end a newline.
func Visible(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	last := rune(0) // the last character that was written
	for i, r := range text {
		if r = visible(r, last, text[i:]); r == 0 {
			continue
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// visible returns what is written for r, or 0 for nothing. rest begins with r.
func visible(r, last rune, rest string) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case r == '\u0085', r == '\u2028', r == '\u2029':
		return '\n'
	case unicode.IsControl(r), unicode.IsSpace(r), r == brailleBlank:
		return ' '
	case r == utf8.RuneError, unicode.Is(unicode.Co, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		return 0
	case r == zeroWidthJoiner, r == zeroWidthNonJoiner:
		next, _ := utf8.DecodeRuneInString(rest[utf8.RuneLen(r):])
		if joins(last) && joins(next) {
			return r
		}
		return 0
	case unicode.Is(unicode.Variation_Selector, r):
		if isVaried(last) || strings.HasPrefix(rest[utf8.RuneLen(r):], keycap) {
			return r
		}
		return 0
	case unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point):
		return 0
	}
	return r
}

// joins reports whether a joiner beside r changes what is seen: beside an emoji, or
// beside a letter of a script that has joining forms. Latin, Greek and Cyrillic have
// none.
func joins(r rune) bool {
	if unicode.In(r, unicode.So, unicode.Sk, unicode.Variation_Selector) {
		return true
	}
	return unicode.In(r, unicode.L, unicode.M) && !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}

// isVaried reports whether a variation selector behind r changes what is seen.
func isVaried(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sm, unicode.Ideographic)
}
