package phone

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plan is what the library's metadata says about the numbers of one region. The
// library itself, asked for the region and the kind of a number, goes over all
// of it three times and matches each pattern twice, in ten times the time. A
// fuzz test holds its answers and ours against each other.
type plan struct {
	region string
	// leading begins the numbers of a region that shares its calling code: such
	// a number is of this region or of none. It is nil where the kind decides.
	leading *regexp.Regexp
	general pattern
	// kinds are in the order of the library: the first that fits counts.
	kinds []kindPattern
	// Numbers that fit both of these may be of either kind.
	fixedLine, mobile pattern
	// trunk begins what may have a national prefix, and is nil where there is
	// none; abroad begins what may have a country code.
	trunk, abroad *regexp.Regexp
}

// pattern is what national numbers of one kind look like.
type pattern struct {
	// lengths in digits; empty for those of the region.
	lengths []int32
	digits  *regexp.Regexp
}

type kindPattern struct {
	kind phonenumbers.PhoneNumberType
	pattern
}

// plansByCode has the plans of a calling code, in the order in which its regions
// are asked. To compile all takes tens of milliseconds, so that each is made when
// its first number is read.
var plansByCode = sync.OnceValue(func() map[int32][]func() *plan {
	byCode := map[int32][]func() *plan{}
	metadata, _ := phonenumbers.MetadataCollection() // read at start, or the library has panicked
	for _, m := range metadata.GetMetadata() {
		regions := phonenumbers.GetRegionCodesForCountryCode(int(m.GetCountryCode()))
		plans, begun := byCode[m.GetCountryCode()]
		if !begun {
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

// split returns the calling code and the national number of digits with a +
// before them or a region to read them by. Where the number begins with no
// prefix it stands there as it is. What prefixes mean is left to the library,
// which takes four times as long for it as Parse for all else.
func split(digits, home string) (code int32, national string, ok bool) {
	if code, national, ok = splitPlain(digits, home); ok {
		return code, national, true
	}
	n, err := phonenumbers.Parse(digits, home)
	return n.GetCountryCode(), phonenumbers.GetNationalSignificantNumber(n), err == nil
}

func splitPlain(digits, home string) (code int32, national string, ok bool) {
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

// locate returns the region and the kind of a number; UNKNOWN for one that is
// not valid.
func locate(code int32, national string) (string, phonenumbers.PhoneNumberType) {
	for _, made := range plansByCode()[code] {
		p := made()
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
