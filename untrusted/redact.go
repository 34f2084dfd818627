package untrusted

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
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

// phoneLike is a run of digits of any script, with the separators that people write
// in numbers.
var phoneLike = regexp.MustCompile(`[+＋]?[(（]?\p{Nd}[\p{Nd}\p{Zs}\p{Pd} ().（）．・·]{5,}\p{Nd}`)

// Redact masks what looks like a telephone number in foreign text, such as the
// message of an API, before it goes into a result or an error. Seven digits or more
// count as a number; without a plus sign not if they are part of a longer word,
// such as a UUID, or the address of a server with its port.
func Redact(text string) string {
	return redact(text, func(text string, from, to int) bool { return inWord(text, from-1) || inWord(text, to) })
}

// redactWords is Redact, but a number within a word is masked too, such as that in
// "lead-2025550142", unless the whole word is an id.
func redactWords(text string) string { return redact(text, inID) }

// redact masks the numbers that are not kept. from and to are the ends of a number.
func redact(text string, keep func(text string, from, to int) bool) string {
	var b strings.Builder
	last := 0
	for _, at := range phoneLike.FindAllStringIndex(text, -1) {
		found := text[at[0]:at[1]]
		digits := strings.Map(asciiDigit, found)
		plus := strings.HasPrefix(found, "+") || strings.HasPrefix(found, "＋")
		if len(digits) < minPhoneDigits || !plus && keep(text, at[0], at[1]) || isServer(found, text[at[1]:]) {
			continue
		}
		b.WriteString(text[last:at[0]])
		if plus {
			digits = "+" + digits
		}
		b.WriteString(Mask(digits))
		last = at[1]
	}
	return b.String() + text[last:]
}

// inID reports whether the digits are part of a word that is an id.
func inID(text string, from, to int) bool {
	for inWord(text, from-1) {
		from--
	}
	for inWord(text, to) {
		to++
	}
	return isID(text[from:to])
}

// isServer reports whether found is an IPv4 address before a port, as in the errors
// of package net: "dial tcp 192.168.100.12:4222".
func isServer(found, rest string) bool {
	if len(rest) < 2 || rest[0] != ':' || rest[1] < '0' || rest[1] > '9' {
		return false
	}
	address, err := netip.ParseAddr(found)
	return err == nil && address.Is4()
}

// asciiDigit returns the digit of any script as one of 0 to 9, and -1 for what is no
// digit.
func asciiDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
		return -1
	}
	// Unicode's decimal digits come in runs of ten, each beginning with zero.
	zero := r
	for unicode.Is(unicode.Nd, zero-1) {
		zero--
	}
	return '0' + (r-zero)%10
}

func inWord(text string, i int) bool {
	if i < 0 || i >= len(text) {
		return false
	}
	c := text[i]
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
