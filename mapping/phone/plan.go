package phone

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plan is the numbering plan of one region, from the library's metadata. The
// library's own functions for the region and the kind of a number search all of it
// three times and match each pattern twice: 26 µs for a webhook against 3 here. A
// fuzz test compares its answers with ours.
type plan struct {
	region string
	// leading matches the first digits of a region that shares its calling code:
	// such a number is of this region or of none. Nil where the kind decides.
	leading *regexp.Regexp
	general pattern
	// kinds are in the order of the library: the first match counts.
	kinds []kindPattern
	// fixedLine and mobile may both match: then the kind is either.
	fixedLine, mobile pattern
	// trunk matches a possible national prefix (nil if the region has none),
	// abroad a possible international prefix or country code.
	trunk, abroad *regexp.Regexp
}

// pattern matches the national numbers of one kind.
type pattern struct {
	// lengths in digits; empty where they are those of the region.
	lengths []int32
	digits  *regexp.Regexp
}

type kindPattern struct {
	kind phonenumbers.PhoneNumberType
	pattern
}

// plansByCode has the plans of each calling code, in the library's order of its
// regions. Compiling all takes tens of milliseconds, so each is compiled when its
// first number is parsed.
var plansByCode = sync.OnceValue(func() map[int32][]func() *plan {
	byCode := map[int32][]func() *plan{}
	metadata, _ := phonenumbers.MetadataCollection() // parsed at start, or the library would have panicked
	for _, m := range metadata.GetMetadata() {
		regions := phonenumbers.GetRegionCodesForCountryCode(int(m.GetCountryCode()))
		plans, exists := byCode[m.GetCountryCode()]
		if !exists {
			plans = make([]func() *plan, len(regions))
			byCode[m.GetCountryCode()] = plans
		}
		plans[slices.Index(regions, m.GetId())] = sync.OnceValue(func() *plan { return newPlan(m, len(regions) > 1) })
	}
	return byCode
})

func newPlan(m *phonenumbers.PhoneMetadata, shared bool) *plan {
	p := &plan{
		region: m.GetId(), general: newPattern(m.GetGeneralDesc()),
		fixedLine: newPattern(m.GetFixedLine()), mobile: newPattern(m.GetMobile()),
	}
	if shared && m.GetLeadingDigits() != "" {
		p.leading = beginning(m.GetLeadingDigits())
	}
	if m.GetNationalPrefixForParsing() != "" {
		p.trunk = beginning(m.GetNationalPrefixForParsing())
	}
	p.abroad = beginning(m.GetInternationalPrefix() + "|" + strconv.Itoa(int(m.GetCountryCode())))
	for _, k := range []struct {
		kind phonenumbers.PhoneNumberType
		desc *phonenumbers.PhoneNumberDesc
	}{
		{phonenumbers.PREMIUM_RATE, m.GetPremiumRate()},
		{phonenumbers.TOLL_FREE, m.GetTollFree()},
		{phonenumbers.SHARED_COST, m.GetSharedCost()},
		{phonenumbers.VOIP, m.GetVoip()},
		{phonenumbers.PERSONAL_NUMBER, m.GetPersonalNumber()},
		{phonenumbers.PAGER, m.GetPager()},
		{phonenumbers.UAN, m.GetUan()},
		{phonenumbers.VOICEMAIL, m.GetVoicemail()},
	} {
		p.kinds = append(p.kinds, kindPattern{k.kind, newPattern(k.desc)})
	}
	return p
}

func beginning(text string) *regexp.Regexp { return regexp.MustCompile("^(?:" + text + ")") }

func newPattern(desc *phonenumbers.PhoneNumberDesc) pattern {
	return pattern{desc.GetPossibleLength(), regexp.MustCompile("^(?:" + desc.GetNationalNumberPattern() + ")$")}
}

func (p *pattern) fits(national string) bool {
	return (len(p.lengths) == 0 || slices.Contains(p.lengths, int32(len(national)))) && p.digits.MatchString(national)
}

// split returns the calling code and the national number of digits that have a +
// before them, or that are a national number of the region home. Only numbers with
// a prefix are left to the library: it takes four times as long for them as Parse
// for everything else.
func split(digits, home string) (code int32, national string, ok bool) {
	if code, national, ok = splitWithoutPrefix(digits, home); ok {
		return code, national, true
	}
	n, err := phonenumbers.Parse(digits, home)
	return n.GetCountryCode(), phonenumbers.GetNationalSignificantNumber(n), err == nil
}

func splitWithoutPrefix(digits, home string) (code int32, national string, ok bool) {
	international, plus := strings.CutPrefix(digits, "+")
	if !plus {
		code = int32(phonenumbers.GetCountryCodeForRegion(home))
		i := slices.Index(phonenumbers.GetRegionCodesForCountryCode(int(code)), home)
		if i < 0 {
			return 0, "", false
		}
		p := plansByCode()[code][i]()
		return code, digits, !p.abroad.MatchString(digits) && !p.hasTrunk(digits)
	}
	for size := 1; size <= 3 && size < len(international); size++ {
		number, _ := strconv.Atoi(international[:size])
		if plans := plansByCode()[int32(number)]; plans != nil {
			national = international[size:]
			return int32(number), national, international[0] != '0' && !plans[0]().hasTrunk(national)
		}
	}
	return 0, "", false
}

func (p *plan) hasTrunk(national string) bool { return p.trunk != nil && p.trunk.MatchString(national) }

// locate returns the region and the kind of a number; UNKNOWN if it is not valid.
func locate(code int32, national string) (string, phonenumbers.PhoneNumberType) {
	for _, plan := range plansByCode()[code] {
		p := plan()
		if p.leading != nil && !p.leading.MatchString(national) {
			continue
		}
		if kind := p.kindOf(national); kind != phonenumbers.UNKNOWN || p.leading != nil {
			return p.region, kind
		}
	}
	return "", phonenumbers.UNKNOWN
}

func (p *plan) kindOf(national string) phonenumbers.PhoneNumberType {
	if !p.general.fits(national) {
		return phonenumbers.UNKNOWN
	}
	for i := range p.kinds {
		if p.kinds[i].fits(national) {
			return p.kinds[i].kind
		}
	}
	fixed, mobile := p.fixedLine.fits(national), p.mobile.fits(national)
	switch {
	case fixed && mobile:
		return phonenumbers.FIXED_LINE_OR_MOBILE
	case fixed:
		return phonenumbers.FIXED_LINE
	case mobile:
		return phonenumbers.MOBILE
	default:
		return phonenumbers.UNKNOWN
	}
}
