package call

import (
	"regexp"
	"strings"

	"callbridge/untrusted"
)

// sanitized makes a text of a CRM safe for an agent's prompt: one line, no invisible
// characters, no tags of a template language, and nothing that passes for our mark.
func sanitized(text string) string {
	text = untrusted.Line(text)
	if strings.ContainsAny(text, "{}") {
		text = withoutTags(text)
	}
	return unmarked(text)
}

// withoutTags divides the delimiters of Liquid, Jinja and Mustache by a blank.
func withoutTags(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	var last rune
	for _, r := range text {
		if isTagDelimiter(last, r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// isTagDelimiter reports whether two characters begin or end a tag of Liquid,
// Jinja or Mustache: {{ }} {% %}.
func isTagDelimiter(a, b rune) bool {
	return a == '{' && (b == '{' || b == '%') || b == '}' && (a == '}' || a == '%')
}

// mark is what makes a call ours in Callab's list: the word and a request id, however
// they are written.
var mark = regexp.MustCompile(`(?i)call(bridge[^0-9a-z]*[0-9a-f]{8}-?[0-9a-f]{4})`)

// unmarked divides the word of our mark where a text of a CRM has it: with a request id
// that it guessed, a lead would count as called.
func unmarked(text string) string {
	if !hasWord(text) {
		return text
	}
	return mark.ReplaceAllString(text, "call $1")
}

// hasWord reports whether a text has the word callbridge: a shortcut for nearly all.
func hasWord(text string) bool {
	const word = "callbridge"
	for i := 0; i+len(word) <= len(text); i++ {
		if (text[i] == 'c' || text[i] == 'C') && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// value makes a value of a CRM safe for the metadata, which keep their lines and types,
// and cuts its texts.
func (c *cuts) value(value any, name string) any {
	switch value := value.(type) {
	case string:
		return c.limit(unmarked(untrusted.Visible(value)), maxMetadataText, "metadata", name)
	case []string:
		clean := make([]string, len(value))
		for i, text := range value {
			clean[i] = c.limit(unmarked(untrusted.Visible(text)), maxMetadataText, "metadata", name)
		}
		return clean
	case []any:
		clean := make([]any, len(value))
		for i, item := range value {
			clean[i] = c.value(item, name)
		}
		return clean
	}
	return value
}
