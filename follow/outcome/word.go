package outcome

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord bounds a word of a vocabulary, in characters. A longer text is a sentence, and
// equals no word.
const maxWord = 64

// word returns a text in one spelling: lower case, with _ between its parts. "No answer",
// "NO-ANSWER" and "noAnswer" are no_answer.
func word(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 4*maxWord || utf8.RuneCountInString(text) > maxWord {
		// The rest could say the opposite, so the result must equal no word of a table.
		return "…"
	}
	runes := []rune(norm.NFKC.String(text))
	var b strings.Builder
	gap := false
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = true
			continue
		}
		if (gap || beginsPart(runes, i)) && b.Len() > 0 {
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// beginsPart reports whether a capital letter begins a part: noAnswer, SIPError.
func beginsPart(runes []rune, i int) bool {
	if i == 0 || !unicode.IsUpper(runes[i]) {
		return false
	}
	return unicode.IsLower(runes[i-1]) ||
		unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

// spoken returns a sentence for the comparison with phrases: lower case without accents
// and apostrophes, one space between words, and one at both ends.
func spoken(text string) string {
	var b strings.Builder
	b.WriteByte(' ')
	gap := false
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’', r == '‘', r == '`', r == 'ʼ':
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 1 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(unicode.ToLower(r))
		default:
			gap = true
		}
	}
	if b.Len() > 1 {
		b.WriteByte(' ')
	}
	return b.String()
}

// phrases are sentences in the form of spoken.
type phrases []string

// in returns the first phrase that a text contains; text has the form of spoken.
func (p phrases) in(text string) string {
	for _, phrase := range p {
		if strings.Contains(text, phrase) {
			return phrase
		}
	}
	return ""
}

// countIn returns how many of the phrases a text contains.
func (p phrases) countIn(text string) (n int) {
	for _, phrase := range p {
		if strings.Contains(text, phrase) {
			n++
		}
	}
	return n
}

// are reports whether a text is one of the phrases and nothing else.
func (p phrases) are(text string) bool {
	for _, phrase := range p {
		if text == phrase {
			return true
		}
	}
	return false
}

// begin reports whether a text begins with one of the phrases.
func (p phrases) begin(text string) bool {
	for _, phrase := range p {
		if strings.HasPrefix(text, phrase) {
			return true
		}
	}
	return false
}
