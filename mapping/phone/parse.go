package phone

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"

	"callbridge/event"
)

// separators divide several numbers in one field. They are tried in this order,
// each on the parts that the one before it left.
var separators = []*regexp.Regexp{
	regexp.MustCompile(`[;|\n,]|\s(?i:or|oder)\s`),
	regexp.MustCompile(`\s/\s`),
}

// parsed is a valid number.
type parsed struct {
	Number
	kind phonenumbers.PhoneNumberType
	// callingCode is the country code of E.164.
	callingCode int32
}

// parser parses text that clean returned.
type parser struct {
	plus          Plus
	trunkOptional bool
	// lostPlus: the text begins with a blank, which may be the + of a form that was
	// not escaped (application/x-www-form-urlencoded).
	lostPlus bool
	// code is the calling code from a field of its own, or "".
	code string
}

// choose parses the whole text, or else the first of its parts that is valid.
func (p parser) choose(text, region string, between []*regexp.Regexp) (parsed, error) {
	if first, ok := p.slashed(text, region); ok {
		return first, nil
	}
	whole, err := p.one(text, region)
	if err == nil {
		return whole, nil
	}
	for i, separator := range between {
		parts := separator.Split(text, -1)
		if len(parts) == 1 {
			continue
		}
		if part, ok := p.first(parts, region, between[i+1:]); ok {
			return part, nil
		}
		break
	}
	return parsed{}, err
}

// slashed parses numbers with a slash between them. German numbers have a slash
// inside (030/901820), so each part has to be a valid number by itself. If each
// is, the whole must not be parsed as one long number.
func (p parser) slashed(text, region string) (first parsed, ok bool) {
	if !strings.Contains(text, "/") {
		return parsed{}, false
	}
	for i, part := range strings.Split(text, "/") {
		r, err := p.one(part, region)
		if err != nil {
			return parsed{}, false
		}
		if i == 0 {
			first = r
		}
	}
	return first, true
}

func (p parser) first(parts []string, region string, between []*regexp.Regexp) (parsed, bool) {
	for _, part := range parts {
		if digits, _ := count(part); digits == 0 {
			continue
		}
		if r, err := p.choose(part, region, between); err == nil {
			return r, true
		}
		// The next part may be the rest of this number ("0171, 3920123") and yet
		// valid by itself in a country with short numbers. So the next parts need
		// a country code.
		region = ""
	}
	return parsed{}, false
}

// one parses a single number. The region is used if the number has no country
// code.
func (p parser) one(text, region string) (parsed, error) {
	main, extension, err := separateExtension(text)
	if err != nil {
		return parsed{}, err
	}
	digits := phonenumbers.NormalizeDigitsOnly(main)
	if !isASCII(digits) {
		return parsed{}, &Error{Reason: InvalidNumber, Detail: "digits of a script other than Latin and Arabic"}
	}
	international := strings.HasPrefix(main, "+")
	if (region == "" || p.code != "") && !international && strings.HasPrefix(digits, "00") {
		digits, international = digits[len("00"):], true
	}
	var r parsed
	switch {
	case international:
		r, err = parseInternational(digits, main)
	case p.code != "":
		r, err = parseWithCode(digits, p.code)
	default:
		r, err = p.national(digits, region)
	}
	r.Extension = extension
	return r, err
}

// parseInternational reads the digits of written, which have a calling code.
func parseInternational(digits, written string) (parsed, error) {
	r, ok := parse("+"+digits, "")
	if !ok {
		return parsed{}, refuse(InvalidNumber, event.Phone("+"+digits), "no number of any country")
	}
	// The 0 in brackets is not dialled from abroad. The library knows that, except
	// in Italy, where most numbers begin with a 0 that is dialled, but not all.
	if before, after, bracket := strings.Cut(written, "(0)"); bracket {
		other, ok := parse("+"+phonenumbers.NormalizeDigitsOnly(before+after), "")
		if ok && other.E164 != r.E164 {
			return parsed{}, refuse(AmbiguousNumber, event.Phone("+"+digits), "one number with the 0 in brackets, another one without")
		}
	}
	return r, nil
}

// parseWithCode reads the digits of a number whose calling code has a field of its
// own. The code may be repeated in the number.
func parseWithCode(digits, code string) (parsed, error) {
	r, ok := parse("+"+code+digits, "")
	whole, wholeOK := parsed{}, false
	if strings.HasPrefix(digits, code) {
		whole, wholeOK = parse("+"+digits, "")
	}
	switch {
	case ok && wholeOK && r.E164 != whole.E164:
		return parsed{}, refuse(AmbiguousNumber, event.Phone(digits), "one number with the calling code +"+code+" before it, another one without")
	case ok:
		return r, nil
	case wholeOK:
		return whole, nil
	}
	return parsed{}, refuse(InvalidNumber, event.Phone(digits), "no number with the calling code +"+code)
}

// maxEmergency is the length of the longest emergency number in digits. The
// library is not asked about longer ones: a negative answer takes it half as long
// as everything else here.
const maxEmergency = len("723141")

// national reads digits without a +. It takes them as a number of the region only
// if they are written as people write numbers there (national.txt); anything else
// that could be two numbers is refused.
func (p parser) national(digits, region string) (parsed, error) {
	masked := event.Phone(digits)
	if region == "" {
		return parsed{}, refuse(NoRegion, masked, "no country code, and the country is unknown")
	}
	if len(digits) <= maxEmergency && phonenumbers.IsEmergencyNumber(digits, region) {
		return parsed{}, refuse(Emergency, masked, "an emergency number in "+region)
	}
	r, ok := parse(digits, region)
	other, otherOK := parsed{}, false
	if !strings.HasPrefix(digits, "0") { // no calling code begins with 0
		other, otherOK = parse("+"+digits, "")
	}
	way := changed
	if ok {
		way = writingOf(digits, region, r)
	}
	switch {
	case ok && way == abroad:
		return r, nil
	case p.plus == PlusRequired:
		return parsed{}, refuse(AmbiguousNumber, masked, "no + before it, and the field has plus: required")
	case otherOK && ok && other.E164 == r.E164:
		return r, nil
	case otherOK && p.plus == PlusOptional && !mayBeNational(way, region, r):
		return other, nil
	case otherOK && p.plus == PlusOptional:
		return parsed{}, refuse(AmbiguousNumber, masked, "a number of "+region+", and one of "+other.Region+" with + before it")
	case otherOK && p.lostPlus:
		return parsed{}, refuse(AmbiguousNumber, masked, "a blank before it, which is a + that the form did not escape or nothing")
	case ok && p.isNational(way, region, r, other, otherOK):
		return r, nil
	case otherOK:
		return parsed{}, refuse(AmbiguousNumber, masked, "with + before it, it is a number of "+other.Region+"; if all numbers of this field come without their +, set plus: optional")
	case ok:
		return parsed{}, refuse(AmbiguousNumber, masked, "numbers of "+region+" are not written like this: "+conventions()[region].hint())
	}
	return parsed{}, refuse(InvalidNumber, masked, "no number of "+region)
}

// mayBeNational reports whether the digits are as good a number of the region as an
// international one without its +, also for a field whose numbers come without it.
func mayBeNational(way writing, region string, r parsed) bool {
	switch way {
	case prefixed: // 8 in Russia may be 84 without +
		return true
	case bare:
		return r.kind == phonenumbers.MOBILE || !conventions()[region].needsPrefix(r.kind)
	}
	return false
}

// isNational reports whether the reading r counts although the digits may be
// another number with a + before them.
func (p parser) isNational(way writing, region string, r, other parsed, otherOK bool) bool {
	switch way {
	case prefixed:
		return true
	case bare:
		if otherOK && other.callingCode == r.callingCode {
			return false // the region's own code: 4915… in Germany
		}
		if !conventions()[region].needsPrefix(r.kind) {
			return true
		}
		// A mobile number has a length and first digits of its own; a fixed line of
		// a plan with numbers of many lengths may be anything.
		return p.trunkOptional && (!otherOK || r.kind == phonenumbers.MOBILE)
	}
	return false
}

// Lengths of E.164 numbers with their +. The standard has no minimum; shorter
// numbers are short codes.
const (
	minE164 = len("+1234567")
	maxE164 = len("+123456789012345")
)

// parse parses digits that have a + before them, or that are a national number of
// the region home.
func parse(digits, home string) (parsed, bool) {
	code, national, ok := split(digits, home)
	if !ok {
		return parsed{}, false
	}
	region, kind := locate(code, national)
	if kind == phonenumbers.UNKNOWN {
		return parsed{}, false // what IsValidNumber refuses
	}
	r := parsed{kind: kind, callingCode: code}
	r.E164 = event.Phone("+" + strconv.Itoa(int(code)) + national)
	r.Region = region
	return r, len(r.E164) >= minE164 && len(r.E164) <= maxE164
}

// maxBytes is longer than two numbers with their extensions.
const maxBytes = 64

// quotes around a number come from spreadsheets ('+49…) and templates.
const quotes = "'\"`´‘’‚‛“”„‟«»‹›"

// clean removes what people and programs leave around a number by accident, and
// refuses text that cannot be a number.
func clean(raw string) (string, error) {
	text := strings.TrimSpace(raw)
	if len(text) > maxBytes {
		return "", &Error{Reason: TooLong, Detail: fmt.Sprintf("%d bytes", len(text))}
	}
	if !isASCII(text) && strings.ContainsFunc(text, isNumeral) {
		return "", &Error{Reason: NotANumber, Detail: "superscripts or fractions among the digits"}
	}
	text = strings.TrimSpace(norm.NFKC.String(strings.Map(normalizeRune, text)))
	text = withoutScheme(text)
	digits, letters := count(text)
	if digits == 0 {
		return "", &Error{Reason: NotANumber, Detail: "no digits"}
	}
	if letters*4 > utf8.RuneCountInString(text) {
		return "", &Error{Reason: NotANumber, Detail: "more than a quarter are letters"}
	}
	return text, nil
}

// withoutScheme removes the tel: of a link (RFC 3966).
func withoutScheme(text string) string {
	const scheme = "tel:"
	if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return text[len(scheme):]
	}
	return text
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isNumeral reports whether NFKC would turn r into one more digit of the number:
// a footnote's ¹, ½, ①.
func isNumeral(r rune) bool { return unicode.In(r, unicode.No, unicode.Nl) }

// normalizeRune removes quotes and format characters (zero-width spaces, the
// direction marks that address books add). A line break stays, because it
// separates numbers.
func normalizeRune(r rune) rune {
	switch {
	case r == '\n' || r == '\r':
		return '\n'
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Cf, r), strings.ContainsRune(quotes, r):
		return -1
	default:
		return r
	}
}

func count(text string) (digits, letters int) {
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits, letters
}

// maxExtension is the length of the longest extension in digits. More digits after
// a comma are another number.
const maxExtension = 6

// separateExtension splits "+1 202 555 0142 ext. 12". The number may have digits
// and the separators of isPlain. Letters are refused, because the library would
// convert them as on a keypad ("mobile" is 662453), and so are * and #, with which
// network codes begin ("*31#").
func separateExtension(text string) (main, extension string, err error) {
	main = strings.TrimLeft(text, " ([-./")
	if !isPlain(main) {
		main, extension = phonenumbers.MaybeSeparateExtensionFromPhone(main)
	}
	switch {
	case strings.ContainsFunc(main, unicode.IsLetter):
		return "", "", &Error{Reason: InvalidNumber, Detail: "letters among the digits"}
	case !isPlain(main):
		return "", "", &Error{Reason: InvalidNumber, Detail: "characters that no number has"}
	case len(extension) > maxExtension:
		return "", "", &Error{Reason: InvalidNumber, Detail: "more digits after the number"}
	}
	if foreign := foreignPart(main); foreign != "" {
		return "", "", &Error{Reason: InvalidNumber, Detail: foreign}
	}
	return main, extension, nil
}

// isPlain reports whether text has only digits and separators of numbers.
func isPlain(text string) bool {
	for _, r := range strings.TrimLeft(text, "+") {
		if !unicode.IsDigit(r) && !unicode.Is(unicode.Pd, r) && !strings.ContainsRune(" ()[]./−·", r) {
			return false
		}
	}
	return true
}
