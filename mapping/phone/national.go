package phone

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// national.txt tells for each region whether people write the trunk prefix of a
// national number. A number that is written in the way of another country is
// refused: with a prefix that was lost it can be a valid number of somebody else.
//
//go:embed national.txt
var nationalTable string

// when tells which national numbers of a region are written with a trunk prefix.
type when string

const (
	always   when = "always"
	landline when = "landline"
	mobile   when = "mobile"
	never    when = "never"
)

// convention is a row of national.txt.
type convention struct {
	prefixes []string
	when     when
}

// conventions is built on first use.
var conventions = sync.OnceValue(func() map[string]convention {
	rows := make(map[string]convention, 250)
	for line := range strings.Lines(nationalTable) {
		if row := strings.Split(line, ";"); !strings.HasPrefix(line, "#") && len(row) == 4 {
			rows[row[0]] = convention{splitPrefixes(row[1]), when(row[2])}
		}
	}
	return rows
})

func splitPrefixes(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// needsPrefix reports whether a number of this kind is written with the prefix. A
// kind that may be either counts as the one that is.
func (c convention) needsPrefix(kind phonenumbers.PhoneNumberType) bool {
	switch c.when {
	case landline:
		return kind != phonenumbers.MOBILE
	case mobile:
		return kind != phonenumbers.FIXED_LINE
	}
	return c.when == always
}

// writing is how digits without a + were read as a number.
type writing int

const (
	// changed: the library completed or changed the digits, such as a local number
	// without its area code.
	changed writing = iota
	// abroad: with an international prefix, such as 00.
	abroad
	// withCode: with the calling code of the region, without + or 00.
	withCode
	// prefixed: with the trunk prefix.
	prefixed
	// bare: the national number alone.
	bare
)

// writingOf tells how digits were read in a region as the number r.
func writingOf(digits, region string, r parsed) writing {
	home := int32(phonenumbers.GetCountryCodeForRegion(region))
	whole := strings.TrimPrefix(r.E164.Reveal(), "+")
	national := strings.TrimPrefix(whole, strconv.Itoa(int(r.callingCode)))
	switch {
	case r.callingCode != home:
		return abroad
	case digits == national:
		return bare
	case digits == whole:
		return withCode
	case strings.HasSuffix(digits, whole) && startsAbroad(digits, region):
		return abroad
	case slices.ContainsFunc(conventions()[region].prefixes, func(p string) bool { return strings.HasPrefix(digits, p) }):
		return prefixed
	}
	return changed
}

// startsAbroad reports whether digits begin with 00 or with what the region dials
// in its place.
func startsAbroad(digits, region string) bool {
	code := int32(phonenumbers.GetCountryCodeForRegion(region))
	i := slices.Index(phonenumbers.GetRegionCodesForCountryCode(int(code)), region)
	return strings.HasPrefix(digits, "00") || i >= 0 && plansByCode()[code][i]().abroad.MatchString(digits)
}

// hint tells how numbers of the region are written.
func (c convention) hint() string {
	if c.when == never || len(c.prefixes) == 0 {
		return "write all digits of the number, or + and the country code"
	}
	prefix := c.prefixes[len(c.prefixes)-1]
	return "write " + prefix + " before it, or + and the country code; if a spreadsheet took the " + prefix + ", set trunk: optional"
}
