package event

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
)

// Phone is a telephone number in E.164 form ("+12025550142"). Printed, logged or
// marshalled it shows only its first two and last two digits. Reveal returns the
// whole number, so uses of it can be found by searching for the name.
type Phone string

// IsE164 reports whether text has the form that Callab requires: + and 7 to 15
// digits, of which the first is not 0. It does not check that the number exists.
func IsE164(text string) bool {
	digits, plus := strings.CutPrefix(text, "+")
	return plus && len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' &&
		strings.Trim(digits, "0123456789") == ""
}

const maskedDigit = "•"

// Reveal returns the whole number. Only the call itself needs it.
func (p Phone) Reveal() string { return string(p) }

// String returns the masked number: "+12•••••••42".
func (p Phone) String() string { return mask(string(p)) }

// Format masks the number under every verb of fmt, %d and %x included.
func (p Phone) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue masks the number in every slog handler.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText masks the number in JSON and YAML.
func (p Phone) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func mask(number string) string {
	digits := strings.TrimPrefix(number, "+")
	if len(digits) < 7 {
		return strings.Repeat(maskedDigit, len(digits))
	}
	head := number[:len(number)-len(digits)+2]
	return head + strings.Repeat(maskedDigit, len(digits)-4) + digits[len(digits)-2:]
}

// phoneLike is a run of digits, with the separators that people write in numbers.
var phoneLike = regexp.MustCompile(`\+?\(?[0-9][0-9 ().\-]{5,}[0-9]`)

// Redact masks what looks like a telephone number in foreign text, such as the
// message of an API, before it goes into a log or an error. Seven digits or more
// count as a number; without a plus sign not if they are part of a longer word,
// such as a UUID.
func Redact(text string) string {
	var b strings.Builder
	last := 0
	for _, at := range phoneLike.FindAllStringIndex(text, -1) {
		found := text[at[0]:at[1]]
		digits := strings.Map(digitsOnly, found)
		partOfWord := found[0] != '+' && (inWord(text, at[0]-1) || inWord(text, at[1]))
		if len(digits) < 7 || partOfWord {
			continue
		}
		b.WriteString(text[last:at[0]])
		if found[0] == '+' {
			digits = "+" + digits
		}
		b.WriteString(mask(digits))
		last = at[1]
	}
	return b.String() + text[last:]
}

func digitsOnly(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

func inWord(text string, i int) bool {
	if i < 0 || i >= len(text) {
		return false
	}
	c := text[i]
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
