package untrusted

import (
	"regexp"
	"strings"
)

const (
	maskedDigit = "•"
	// minPhoneDigits is the number of digits from which on a text may be a
	// telephone number.
	minPhoneDigits = 7
)

// Mask returns a telephone number with only its first two and last two digits:
// "+12•••••••42". A number of fewer than seven digits is masked whole.
func Mask(number string) string {
	digits := strings.TrimPrefix(number, "+")
	if len(digits) < minPhoneDigits {
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
		if len(digits) < minPhoneDigits || partOfWord {
			continue
		}
		b.WriteString(text[last:at[0]])
		if found[0] == '+' {
			digits = "+" + digits
		}
		b.WriteString(Mask(digits))
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
