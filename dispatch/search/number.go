package search

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// comparison is what two spellings of a number say about each other.
type comparison int

const (
	otherNumber comparison = iota
	// perhapsSameNumber: one is missing, masked, or may be another form of the
	// other.
	perhapsSameNumber
	sameNumber
)

// subscriberDigits are the last digits of a number that no form of it changes. The
// digits before them may have others between them: "+44 (0)20…", "+52 1 55…".
const subscriberDigits = 7

// masked is what takes the place of digits that are hidden: "+44••••58".
var masked = regexp.MustCompile(`(?i:[*•#x]{2,}|…)`)

// compareNumbers compares the number that Callab returns with the E.164 number
// of the request. Callab does not document how it writes numbers, so only one that is
// certainly another is reported as such. It is a pure function.
func compareNumbers(listed, wanted string) comparison {
	if listed == wanted {
		return sameNumber
	}
	international := strings.HasPrefix(listed, "+")
	if hidden := masked.FindAllStringIndex(listed, -1); hidden != nil {
		if strings.HasSuffix(digits(wanted), digits(listed[hidden[len(hidden)-1][1]:])) {
			return perhapsSameNumber
		}
		return otherNumber
	}
	if strings.ContainsFunc(listed, isForeignDigit) {
		return perhapsSameNumber
	}
	listed, wanted = digits(listed), digits(wanted)
	national := strings.TrimLeft(listed, "0")
	switch {
	case national == wanted && national != "":
		return sameNumber
	case strings.HasPrefix(national, wanted): // with an extension
		return perhapsSameNumber
	case strings.HasSuffix(wanted, national), strings.HasSuffix(national, wanted):
		return perhapsSameNumber
	case international && national[0] != wanted[0]: // a country of another part of the world
		return otherNumber
	case strings.Contains(national, wanted[max(0, len(wanted)-subscriberDigits):]):
		return perhapsSameNumber
	}
	return otherNumber
}

func isForeignDigit(r rune) bool { return r >= utf8.RuneSelf && unicode.IsDigit(r) }

func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}
