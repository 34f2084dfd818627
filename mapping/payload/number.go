package payload

import "strings"

// numberLen returns the length of the number that text begins with: RFC 8259
// section 6. It is 0 where there is none.
func numberLen(text string) int {
	rest := strings.TrimPrefix(text, "-")
	whole := digitsLen(rest)
	if whole == 0 {
		return 0
	}
	if rest[0] == '0' {
		whole = 1
	}
	rest = rest[whole:]
	if strings.HasPrefix(rest, ".") {
		fraction := digitsLen(rest[1:])
		if fraction == 0 {
			return 0
		}
		rest = rest[1+fraction:]
	}
	if rest != "" && rest[0]|0x20 == 'e' {
		exponent := rest[1:]
		if exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
			exponent = exponent[1:]
		}
		size := digitsLen(exponent)
		if size == 0 {
			return 0
		}
		rest = exponent[size:]
	}
	return len(text) - len(rest)
}

func digitsLen(text string) int {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return i
		}
	}
	return len(text)
}
