// Package phone parses the text of a CRM's phone field into an E.164 number that
// may be dialled, or returns the reason why not: part of the mapping step. A text
// that can mean two numbers is refused: the wrong one would call a stranger. Of this
// module it imports only event.
package phone

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"callbridge/event"
)

// Options say how to parse a field and which numbers may be dialled. The zero
// value accepts only numbers that begin with + or 00, of every country.
type Options struct {
	// Country is the contact's country as the CRM writes it (see Country), or the
	// calling code ("+91", "91") that the CRM keeps in a field of its own.
	// If it is set but not a known country, Region is not used either, because
	// it would be a guess.
	Country string
	// Region is the ISO 3166 code of the country of national numbers where the
	// contact has no country. Empty: national numbers are refused.
	Region string
	// Regions are the ISO 3166 codes of the allowed countries, by the digits of
	// the number. Empty allows all. GB includes Guernsey, Jersey and the Isle of
	// Man, whose numbers look like British ones. +1 has 25 regions; each has to
	// be named.
	Regions []string
	// AllowExtension accepts a number with an extension. Otherwise it is refused,
	// because a switchboard would answer the call.
	AllowExtension bool
	// Plus says how numbers without a + are read.
	Plus Plus
	// TrunkOptional reads national numbers also where the trunk prefix is missing
	// that people of the region write: 171… in Germany, from a spreadsheet that
	// took the 0 for a number. A number that may be one of another country with +
	// before it is then refused only if it is no mobile number of the region.
	TrunkOptional bool
	// RefuseFictional refuses numbers reserved for films and examples. Only tests
	// set it so far.
	RefuseFictional bool
}

// Plus says how a field writes international numbers.
type Plus string

const (
	// PlusUsual: digits without a + or 00 are a national number of the region, or
	// are refused.
	PlusUsual Plus = ""
	// PlusOptional: digits that are a valid number with a + before them are that
	// number.
	PlusOptional Plus = "optional"
	// PlusRequired: digits without a + or an international prefix are refused.
	PlusRequired Plus = "required"
)

// Number is a number that may be dialled.
type Number struct {
	// E164 matches ^\+[1-9]\d{6,14}$. It has no extension, so it can be the key
	// for duplicates.
	E164 event.Phone
	// Region is the ISO 3166 code of the number's country, by its digits.
	Region string
	// Extension is dialled after the call is answered. Only with AllowExtension.
	Extension string
}

// In returns an *Error if the number is in none of the regions, which are as in
// Options.Regions.
func (n Number) In(regions []string) error {
	if len(regions) == 0 || allowed(regions, n.Region) {
		return nil
	}
	return refuse(RegionNotAllowed, n.E164, "the number is in "+n.Region)
}

// Parse parses a phone field. Of several numbers it returns the first valid one.
// The error is an *Error.
func Parse(raw string, o Options) (Number, error) {
	text, err := clean(raw)
	if err != nil {
		return Number{}, err
	}
	region, code := o.region()
	n, err := parser{
		plus: o.Plus, trunkOptional: o.TrunkOptional, code: code, lostPlus: strings.HasPrefix(raw, " "),
	}.choose(text, region, separators)
	if err != nil {
		return Number{}, err
	}
	if err := o.permit(n); err != nil {
		return Number{}, err
	}
	return n.Number, nil
}

// region returns the region of national numbers, or "" if it is unknown, and the
// calling code, if it is in a field of its own.
func (o *Options) region() (region, code string) {
	country := o.Country
	if strings.TrimSpace(country) == "" {
		country = o.Region
	}
	region, code = callingCode(country)
	switch {
	case region != "":
		return region, code
	case code != "":
		return "", "" // a calling code or a country's number: not known which
	}
	region, _ = Country(country)
	return region, ""
}

// permit refuses valid numbers that must not be called.
func (o *Options) permit(n parsed) error {
	if reason := refusedKind(n); reason != "" {
		return refuse(reason, n.E164, "numbers of this kind are not called")
	}
	if err := n.In(o.Regions); err != nil {
		return err
	}
	if n.Extension != "" && !o.AllowExtension {
		return refuse(HasExtension, n.E164, "an extension cannot be dialled")
	}
	if o.RefuseFictional && fictional(n.E164) {
		return refuse(FictionalNumber, n.E164, "the number is reserved for films and examples")
	}
	return nil
}

// refusedKind allows only what the metadata calls a fixed line, a mobile or a
// VoIP number: the other kinds cost extra or reach no person.
func refusedKind(n parsed) Reason {
	switch n.callingCode {
	case 870, 881, 882, 883: // Inmarsat, GMSS, international networks (ITU-T E.164)
		return Satellite
	}
	if reason := specialKind(n.E164.Reveal()); reason != "" {
		return reason
	}
	switch n.kind {
	case phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return ""
	case phonenumbers.VOIP:
		if n.Region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
			return PersonalNumber // +878, universal personal telecommunications
		}
		return ""
	case phonenumbers.PREMIUM_RATE:
		return PremiumRate
	case phonenumbers.SHARED_COST:
		return SharedCost
	case phonenumbers.TOLL_FREE:
		return TollFree
	case phonenumbers.PAGER:
		return Pager
	case phonenumbers.UAN:
		return UAN
	case phonenumbers.PERSONAL_NUMBER:
		return PersonalNumber
	case phonenumbers.VOICEMAIL:
		return Voicemail
	default:
		return InvalidNumber
	}
}

func allowed(regions []string, region string) bool {
	if slices.Contains(regions, region) {
		return true
	}
	switch region {
	case "GG", "JE", "IM":
		return slices.Contains(regions, "GB")
	default:
		return false
	}
}

func refuse(reason Reason, number event.Phone, detail string) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf("%s: %s", number, detail)}
}

// reserved are prefixes of numbers that regulators reserve for films and examples
// and that the metadata takes for valid (+44 7700 900xxx is not valid there).
//
// +44: Ofcom, "Telephone numbers for use in TV and radio drama programmes".
// +33: ARCEP, numbering plan, numbers for audiovisual works.
// +49: Bundesnetzagentur, notice 148/2021, "Drama Numbers".
var reserved = []string{
	"+441134960", "+441144960", "+441164960", "+441174960", "+441184960",
	"+441214960", "+441314960", "+441414960", "+441514960", "+441614960",
	"+441914980", "+442079460", "+442896496", "+442920180",
	"+3319900", "+3326191", "+3335301", "+3346571", "+3353649",
	"+493023125", "+496990009", "+494066969", "+492214710", "+498999998",
}

// fictional reports whether the number is reserved for films and examples. In the
// North American plan these are 555-0100 to 555-0199 of every area code (ATIS
// 0300115).
func fictional(number event.Phone) bool {
	e164 := number.Reveal()
	if strings.HasPrefix(e164, "+1") && len(e164) == len("+12025550100") {
		return e164[5:10] == "55501"
	}
	for _, start := range reserved {
		if strings.HasPrefix(e164, start) {
			return true
		}
	}
	return false
}

// Reason is the cause for which a field has no number to dial, one of a fixed set
// of words.
type Reason string

// Reasons for which the text is not a number.
const (
	// NotANumber: no digits, or many letters among them.
	NotANumber Reason = "not_a_number"
	// TooLong: more than 64 bytes; a note, not a number.
	TooLong Reason = "too_long"
	// InvalidNumber: not in the numbering plan, or with characters that no
	// number has.
	InvalidNumber Reason = "invalid_number"
	// NoRegion: a national number, and the country is unknown.
	NoRegion Reason = "no_region"
	// AmbiguousNumber: valid as a national number and, with a + before it, as
	// another international one.
	AmbiguousNumber Reason = "ambiguous_number"
	// Emergency: an emergency number such as 112 or 911.
	Emergency Reason = "emergency"
)

// Reasons for which a valid number is not called.
const (
	PremiumRate    Reason = "premium_rate"
	SharedCost     Reason = "shared_cost"
	Satellite      Reason = "satellite"
	TollFree       Reason = "toll_free"
	Voicemail      Reason = "voicemail"
	Pager          Reason = "pager"
	UAN            Reason = "uan" // universal access number, a company's hotline
	PersonalNumber Reason = "personal_number"
	// ServiceNumber: a service of the telephone network answers, such as directory
	// assistance or a test line.
	ServiceNumber Reason = "service_number"
	// RegionNotAllowed: the number's country is not in Options.Regions.
	RegionNotAllowed Reason = "region_not_allowed"
	// HasExtension: a switchboard would answer the call.
	HasExtension Reason = "has_extension"
	// FictionalNumber: reserved for films and examples.
	FictionalNumber Reason = "fictional_number"
)

// Error says why a phone field has no number to dial.
type Error struct {
	Reason Reason
	// Detail is text for people. Numbers in it are masked.
	Detail string
}

// Error returns the reason and the detail.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Detail }
