package phone

import (
	"regexp"
	"slices"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plan is what the library's metadata says about the numbers of one region. The
// library itself, asked for the region and the kind of a number, goes over all
// of it three times and matches each pattern twice: more than half of the time
// of Parse. A fuzz test holds its answers and ours against each other.
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
		p.leading = regexp.MustCompile("^(?:" + m.GetLeadingDigits() + ")")
	}
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

func newPattern(desc *phonenumbers.PhoneNumberDesc) pattern {
	return pattern{desc.GetPossibleLength(), regexp.MustCompile("^(?:" + desc.GetNationalNumberPattern() + ")$")}
}

func (p *pattern) fits(national string) bool {
	return (len(p.lengths) == 0 || slices.Contains(p.lengths, int32(len(national)))) && p.digits.MatchString(national)
}

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
