package phone

import (
	_ "embed"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// countries is a table of 21 KB. The names of x/text are 2 MB in the binary and
// lack what CRMs write ("Czech Republic", "Korea, Republic of", "U.S.A."); here a
// line is easy to add.
//
//go:embed countries.txt
var countries string

// Country returns the ISO 3166 alpha-2 code of a country that is written as an
// alpha-2, alpha-3 or numeric code, as "UK", or by a name in one of the languages
// of countries.txt.
func Country(text string) (iso2 string, ok bool) {
	if len(text) > maxBytes*2 {
		return "", false
	}
	iso2, ok = countryIndex()[fold(text)]
	return iso2, ok
}

// countryIndex is built on first use.
var countryIndex = sync.OnceValue(func() map[string]string {
	index := make(map[string]string, 3000)
	for line := range strings.Lines(countries) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		iso2, _, _ := strings.Cut(line, ";")
		for spelling := range strings.SplitSeq(line, ";") {
			index[fold(spelling)] = iso2
		}
	}
	return index
})

// fold makes spellings of a name comparable. Punctuation becomes a space, so that
// "n/a" and "n.a." do not become NA, Namibia.
func fold(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space := false
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
		case r == '&':
			b.WriteString(" and")
			space = true
		default:
			space = true
		}
	}
	return strings.TrimPrefix(b.String(), "the ")
}

// IsCountry reports whether text names a country or its calling code.
func IsCountry(text string) bool {
	if region, code := callingCode(text); code != "" {
		return region != ""
	}
	_, ok := Country(text)
	return ok
}

// codeWithName is what selection lists of forms have: "India (+91)", "+91 India".
var codeWithName = regexp.MustCompile(`^[\pL .'-]*\(?\+(\d{1,3})\)?[\pL .'()-]*$`)

// callingCode returns the main region and the digits of a calling code: "+91",
// "0091", or "91". Three digits alone may be a country's numeric code of ISO 3166
// as well; if they are (352 is Iceland there and Luxembourg by telephone), the
// region is empty.
func callingCode(text string) (region, code string) {
	text = strings.TrimSpace(text)
	if named := codeWithName.FindStringSubmatch(text); named != nil {
		text = "+" + named[1]
	}
	digits, plus := strings.CutPrefix(text, "+")
	if !plus {
		digits, plus = strings.CutPrefix(text, "00")
	}
	if len(digits) == 0 || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return "", ""
	}
	number, _ := strconv.Atoi(digits)
	region = phonenumbers.GetRegionCodeForCountryCode(number)
	if region == "ZZ" || region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return "", ""
	}
	if _, isCountry := Country(digits); isCountry && !plus {
		return "", digits
	}
	return region, digits
}
