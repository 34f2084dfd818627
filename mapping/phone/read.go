package phone

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"callbridge/event"
)

// separators are what people write between two numbers of one field. They are
// tried in turn: what the first leaves together, the second may divide.
var separators = []*regexp.Regexp{
	regexp.MustCompile(`[;|\n,]|\s(?i:or|oder)\s`),
	regexp.MustCompile(`\s/\s`),
}

// reading is a valid number.
type reading struct {
	Number
	kind phonenumbers.PhoneNumberType
	// callingCode is the country code of E.164.
	callingCode int32
}

// reader reads text that has been cleaned.
type reader struct {
	assume bool
}

// choose reads the whole text, or else the first of its parts that is valid.
func (rd reader) choose(text, region string, between []*regexp.Regexp) (reading, error) {
	if first, ok := rd.slashed(text, region); ok {
		return first, nil
	}
	whole, err := rd.read(text, region)
	if err == nil {
		return whole, nil
	}
	for i, separator := range between {
		parts := separator.Split(text, -1)
		if len(parts) == 1 {
			continue
		}
		if part, ok := rd.first(parts, region, between[i+1:]); ok {
			return part, nil
		}
		break
	}
	return reading{}, err
}

// slashed reads numbers with a slash between them. German numbers have slashes
// inside (030/901820), so that each part must be a number by itself; and where
// each is, the whole must not be read as one long number.
func (rd reader) slashed(text, region string) (first reading, ok bool) {
	if !strings.Contains(text, "/") {
		return reading{}, false
	}
	for i, part := range strings.Split(text, "/") {
		r, err := rd.read(part, region)
		if err != nil {
			return reading{}, false
		}
		if i == 0 {
			first = r
		}
	}
	return first, true
}

func (rd reader) first(parts []string, region string, between []*regexp.Regexp) (reading, bool) {
	for _, part := range parts {
		if digits, _ := count(part); digits == 0 {
			continue
		}
		if r, err := rd.choose(part, region, between); err == nil {
			return r, true
		}
		// What follows may be the rest of this number ("0171, 3920123"), and
		// valid by itself in countries with short numbers. From here on only
		// numbers that bring their country code count.
		region = ""
	}
	return reading{}, false
}

// read reads one number. The region decides unless the number brings its own
// country code.
func (rd reader) read(text, region string) (reading, error) {
	main, extension, err := separateExtension(text)
	if err != nil {
		return reading{}, err
	}
	digits := phonenumbers.NormalizeDigitsOnly(main)
	if !isASCII(digits) {
		return reading{}, &Error{Reason: InvalidNumber, Detail: "digits of a script other than Latin and Arabic"}
	}
	international := strings.HasPrefix(main, "+")
	if region == "" && !international && strings.HasPrefix(digits, "00") {
		digits, international = digits[len("00"):], true
	}
	var r reading
	if international {
		r, err = readInternational(digits)
	} else {
		r, err = rd.readNational(digits, region)
	}
	r.Extension = extension
	return r, err
}

func readInternational(digits string) (reading, error) {
	r, ok := parse("+"+digits, "")
	if !ok {
		return reading{}, refuse(InvalidNumber, event.Phone("+"+digits), "no number of any country")
	}
	return r, nil
}

// maxEmergency is the longest emergency number in digits. What is longer is not
// asked about: to say no takes the library half of the time of all else.
const maxEmergency = len("723141")

func (rd reader) readNational(digits, region string) (reading, error) {
	masked := event.Phone(digits)
	if region == "" {
		return reading{}, refuse(NoRegion, masked, "no country code, and no country to read it by")
	}
	if len(digits) <= maxEmergency && phonenumbers.IsEmergencyNumber(digits, region) {
		return reading{}, refuse(Emergency, masked, "an emergency number in "+region)
	}
	r, ok := parse(digits, region)
	other, otherOK := readWithPlus(digits, region)
	switch {
	case otherOK && (!ok || other.E164 != r.E164):
		if rd.assume {
			return other, nil
		}
		return reading{}, refuse(AmbiguousNumber, masked, "one number in "+region+", another one with + before it")
	case !ok:
		return reading{}, refuse(InvalidNumber, masked, "no number of "+region)
	default:
		return r, nil
	}
}

// readWithPlus reads 4917… in Germany as +4917…, a spreadsheet having eaten
// the plus sign. Without this check 491711234567 is the valid number
// +49 4917 11234567 of somebody else.
func readWithPlus(digits, region string) (reading, bool) {
	code := phonenumbers.GetCountryCodeForRegion(region)
	if !strings.HasPrefix(digits, strconv.Itoa(code)) {
		return reading{}, false
	}
	return parse("+"+digits, "")
}

// Lengths of E.164 numbers with their +. The standard has no minimum; shorter
// ones are short codes.
const (
	minE164 = len("+1234567")
	maxE164 = len("+123456789012345")
)

// parse takes digits, with a + before them or a region to read them by.
func parse(digits, home string) (reading, bool) {
	code, national, ok := split(digits, home)
	if !ok {
		return reading{}, false
	}
	region, kind := locate(code, national)
	if kind == phonenumbers.UNKNOWN {
		return reading{}, false // no valid number, says IsValidNumber
	}
	r := reading{kind: kind, callingCode: code}
	r.E164 = event.Phone("+" + strconv.Itoa(int(code)) + national)
	r.Region = region
	return r, len(r.E164) >= minE164 && len(r.E164) <= maxE164
}
