package call

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"callbridge/mapping/config"
)

const (
	// defaultVariable is how many characters a variable has at most, unless its max: says
	// otherwise: some twenty seconds of speech. maxVariable and maxNotes are the greatest
	// max: that can be written.
	defaultVariable = 200
	maxVariable     = 500
	maxNotes        = 2000
	// maxMetadataText bounds each text of the metadata.
	maxMetadataText = 2000
)

// Cut is a text of a call that was longer than its maximum.
type Cut struct {
	// Name is the key of the call, such as notes or agent_dynamic_variables.reason.
	Name string `json:"name"`
	// Length is how many characters the text had; Max is how many it may have.
	Length int `json:"length"`
	Max    int `json:"max"`
}

// String says what was cut.
func (c Cut) String() string {
	return fmt.Sprintf("%s has %d characters and was cut to %d", c.Name, c.Length, c.Max)
}

// cuts collects what was cut while one call is filled in.
type cuts []Cut

// limit cuts a text and notes that it was cut. The name of the text has two parts, which
// are joined only then.
func (c *cuts) limit(text string, most int, section, name string) string {
	if !longer(text, most) {
		return text
	}
	if name != "" {
		section += "." + name
	}
	*c = append(*c, Cut{section, utf8.RuneCountInString(text), most})
	return truncated(text, most)
}

// truncated cuts a text to so many characters at most: between two words if the last one
// is not longer than half of the text, and never within a character that has several
// code points, such as a letter with its accent or an emoji of several.
func truncated(text string, most int) string {
	if !longer(text, most) {
		return text
	}
	end := 0
	for range most {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	hard := text[:end]
	for end > 0 && joins(text, end) {
		_, size := utf8.DecodeLastRuneInString(text[:end])
		end -= size
	}
	if end == 0 {
		return hard // one character of marks only
	}
	next, _ := utf8.DecodeRuneInString(text[end:])
	if blank := strings.LastIndexFunc(text[:end], unicode.IsSpace); !unicode.IsSpace(next) && blank >= end/2 {
		end = blank
	}
	return strings.TrimSpace(text[:end])
}

// joins reports whether the code points before and after a position are one character,
// by the main rules of UAX #29.
func joins(text string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	after, _ := utf8.DecodeRuneInString(text[at:])
	const zwj = '\u200d'
	switch {
	case before == zwj, after == zwj, unicode.Is(unicode.M, after), unicode.Is(unicode.Variation_Selector, after):
		return true
	case after >= 0x1f3fb && after <= 0x1f3ff: // a skin tone
		return true
	case after >= 0xe0020 && after <= 0xe007f: // a tag, in the flag of a region
		return true
	case after >= 0x1160 && after <= 0x11ff: // a vowel or final of a Hangul syllable
		return true
	}
	return isRegional(before) && isRegional(after) && regionals(text[:at])%2 == 1
}

// isRegional reports whether a code point is half of a flag.
func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// regionals counts the halves of flags at the end of a text.
func regionals(text string) (n int) {
	for text != "" {
		r, size := utf8.DecodeLastRuneInString(text)
		if !isRegional(r) {
			return n
		}
		n, text = n+1, text[:len(text)-size]
	}
	return n
}

// readLimited reads a text with its maximum: the text alone, or {text: …, max: 300}.
func readLimited(at config.Node, usual, most int) (config.Node, int) {
	if at.Kind() != config.Mapping {
		return at, usual
	}
	keys, _ := at.Known(config.LimitedKeys)
	text, ok := keys.Get("text")
	if !ok {
		at.Problem(`"text" is missing`, `write {text: "{{field}}", max: `+strconv.Itoa(usual)+`}`)
		return at, 0
	}
	n, ok := keys.Get("max")
	if !ok {
		return text, usual
	}
	hint := "the maximum length in characters, up to " + strconv.Itoa(most)
	limit := n.Count(hint)
	if limit > most {
		n.Problem(strconv.Itoa(limit)+" is too long for an agent", hint)
	}
	return text, limit
}
