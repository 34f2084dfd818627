package untrusted

import (
	"bytes"
	"strconv"
)

// minSecret is the length from which on a secret is replaced: a shorter one could
// occur in a text by chance.
const minSecret = 8

const replacement = "[secret]"

// Secrets are credentials of ours that a peer may repeat in its answer.
type Secrets []string

// Scrub returns text with each secret replaced, and text itself if there is none. It
// finds a secret in either case, and with characters escaped for JSON, XML or a URL,
// as encoders write them: "\/", "\u002b", "&amp;", "%2B".
func (s Secrets) Scrub(text []byte) []byte {
	for _, secret := range s {
		if len(secret) >= minSecret {
			text = scrub(text, secret)
		}
	}
	return text
}

// ScrubString is Scrub for a string.
func (s Secrets) ScrubString(text string) string {
	for _, secret := range s {
		if len(secret) >= minSecret && len(text) >= len(secret) {
			text = string(scrub([]byte(text), secret))
		}
	}
	return text
}

func scrub(text []byte, secret string) []byte {
	var out []byte
	copied, starts := 0, startsOf(secret[0])
	for at := 0; at < len(text); {
		n := 0
		if starts[text[at]] {
			n = match(text[at:], secret)
		}
		if n == 0 {
			at++
			continue
		}
		out = append(append(out, text[copied:at]...), replacement...)
		at += n
		copied = at
	}
	if copied == 0 {
		return text
	}
	return append(out, text[copied:]...)
}

// startsOf has the bytes with which a secret may begin: its first, in both cases, and
// those that begin an escape.
func startsOf(first byte) (starts [256]bool) {
	for c := range starts {
		starts[c] = fold(byte(c)) == fold(first)
	}
	starts['\\'], starts['%'], starts['&'] = true, true, true
	return starts
}

// match returns the length of secret, as it is or escaped, at the start of text, or 0.
func match(text []byte, secret string) int {
	if len(text) >= len(secret) && string(text[:len(secret)]) == secret {
		return len(secret)
	}
	at := 0
	for i := range len(secret) {
		n := matchByte(text[at:], secret[i])
		if n == 0 {
			return 0
		}
		at += n
	}
	return at
}

// matchByte returns the length of the character c, escaped or not, at the start of
// text, or 0.
func matchByte(text []byte, c byte) int {
	if n := matchEscape(text, c); n > 0 || len(text) == 0 {
		return n
	}
	if fold(text[0]) == fold(c) {
		return 1
	}
	return 0
}

func matchEscape(text []byte, c byte) int {
	switch {
	case len(text) < 2:
	case text[0] == '\\' && len(text) >= 6 && text[1] == 'u' && isCode(text[2:6], 16, c):
		return 6
	case text[0] == '\\' && text[1] == c:
		return 2
	case text[0] == '%' && len(text) >= 3 && isCode(text[1:3], 16, c):
		return 3
	case text[0] == '&':
		return matchEntity(text, c)
	}
	return 0
}

// entities are the characters that XML and HTML name.
var entities = map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

// matchEntity is matchByte for "&amp;", "&#43;" and "&#x2B;".
func matchEntity(text []byte, c byte) int {
	const longest = len("&#x0000;")
	end := bytes.IndexByte(text[:min(len(text), longest)], ';')
	if end < 2 {
		return 0
	}
	name := text[1:end]
	switch hex, isHex := bytes.CutPrefix(bytes.ToLower(name), []byte("#x")); {
	case entities[string(name)] == c && c != 0,
		isHex && isCode(hex, 16, c),
		name[0] == '#' && isCode(name[1:], 10, c):
		return end + 1
	}
	return 0
}

// isCode reports whether digits are the number of the character c.
func isCode(digits []byte, base int, c byte) bool {
	n, err := strconv.ParseUint(string(digits), base, 16)
	return err == nil && n < 0x80 && fold(byte(n)) == fold(c)
}

// fold returns the lower case of an ASCII letter: host names and some headers change
// the case of what they repeat.
func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
