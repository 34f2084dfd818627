package phone

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// maxExtension is the longest extension in digits. What is longer is another
// number behind a comma.
const maxExtension = 6

// separateExtension splits "+1 202 555 0142 ext. 12". What is left must be
// digits and what people write between them. Letters are refused, since the
// parser would dial them as on a keypad ("mobile" is 662453), and so are * and
// #, with which network codes begin ("*31#").
func separateExtension(text string) (main, extension string, err error) {
	main = strings.TrimLeft(text, " ([-./")
	if !plain(main) {
		main, extension = phonenumbers.MaybeSeparateExtensionFromPhone(main)
	}
	switch {
	case strings.ContainsFunc(main, unicode.IsLetter):
		return "", "", &Error{Reason: InvalidNumber, Detail: "letters among the digits"}
	case !plain(main):
		return "", "", &Error{Reason: InvalidNumber, Detail: "signs that stand in no number"}
	case len(extension) > maxExtension:
		return "", "", &Error{Reason: InvalidNumber, Detail: "more digits behind the number"}
	}
	return main, extension, nil
}

func plain(text string) bool {
	for _, r := range strings.TrimLeft(text, "+") {
		if !unicode.IsDigit(r) && !unicode.Is(unicode.Pd, r) && !strings.ContainsRune(" ()[]./−·", r) {
			return false
		}
	}
	return true
}
