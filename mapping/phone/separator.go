package phone

import (
	"regexp"
	"strings"
	"unicode"
)

const (
	// minAfterBracket is how many digits follow the last bracket of a number. An
	// area code stands in brackets, and (1) behind a number is a remark.
	minAfterBracket = 4
	// maxBeforeSlash and minAfterSlash bound the digits around a slash, which
	// divides area code and number (0043 5373/12345).
	maxBeforeSlash, minAfterSlash = 9, 3
)

var (
	// date is a day in one of the orders of year, month and day.
	date = regexp.MustCompile(`^\s*(?:(?:19|20)\d\d[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./](?:19|20)\d\d)\s*$`)
	// spreadsheet is a number that was stored as a decimal number.
	spreadsheet = regexp.MustCompile(`^[^.]*\.0+$|\.0$`)
	// remark is a short number behind a dash with blanks around it.
	remark = regexp.MustCompile(`\s[\p{Pd}−]\s+\d{1,2}$`)
)

// foreignPart returns what is not part of a number in text that has only digits
// and separators of numbers, or "": without this check its digits would be dialled
// behind those of the number, and in a plan with numbers of many lengths that is
// another person.
func foreignPart(text string) string {
	switch {
	case spreadsheet.MatchString(text):
		return "a decimal number of a spreadsheet: .0 at the end"
	case date.MatchString(text):
		return "a date"
	case remark.MatchString(text):
		return "more digits after the number"
	}
	if at := strings.LastIndexAny(text, ")]"); at >= 0 && digitsIn(text[at:]) < minAfterBracket {
		return "a bracket that is not around an area code"
	}
	for at, r := range text {
		if r == '/' && (digitsIn(text[:at]) > maxBeforeSlash || digitsIn(text[at:]) < minAfterSlash) {
			return "a slash that is not behind an area code"
		}
	}
	return ""
}

func digitsIn(text string) (n int) {
	for _, r := range text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}
