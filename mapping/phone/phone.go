// Package phone turns what a CRM has in a phone field into a number that may
// be dialled, or says in one word why not: part of the mapping step. A number
// that can be read in two ways is refused, since the other reading is somebody
// else's phone. Of the other steps it imports only event.
package phone

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"callbridge/event"
)

// Options say how to read a field and which numbers may be dialled. The zero
// value reads numbers with + or 00 only, and allows every country.
type Options struct {
	// Country is the contact's country as the CRM writes it (see Country).
	// One that is there but not understood leaves the region unknown: the
	// default would be a guess then.
	Country string
	// Region is the ISO 3166 code to read national numbers by where the
	// contact has no country. Empty means that there is none.
	Region string
	// Regions are the ISO 3166 codes where the number may be, by its digits.
	// Empty allows all. GB includes Guernsey, Jersey and the Isle of Man,
	// whose numbers nobody tells from British ones; +1 is 25 regions, each
	// named by itself.
	Regions []string
	// AllowExtension lets a number with an extension pass. Without it such a
	// number is refused, for a call to it ends at a switchboard.
	AllowExtension bool
	// AssumeInternational reads a number that begins with the region's own
	// country code, and has two valid readings, as one that lost its +.
	AssumeInternational bool
	// RefuseFictional refuses numbers reserved for films and examples.
	RefuseFictional bool
}

// Number is a number that may be dialled.
type Number struct {
	// E164 matches ^\+[1-9]\d{6,14}$. It has no extension, so that it can be
	// the key for duplicates and caps.
	E164 event.Phone
	// Region is the ISO 3166 code of where the number is, by its digits.
	Region string
	// Extension is what to dial after that. Only with AllowExtension.
	Extension string
}

// In refuses a number that is in none of the regions; Options.Regions says how
// they count. The error is an *Error.
func (n Number) In(regions []string) error {
	if len(regions) == 0 || allowed(regions, n.Region) {
		return nil
	}
	return refuse(RegionNotAllowed, n.E164, "the number is in "+n.Region)
}

// Parse reads a phone field. Where it holds several numbers the first valid
// one counts. The error is an *Error.
func Parse(raw string, o Options) (Number, error) {
	text, err := clean(raw)
	if err != nil {
		return Number{}, err
	}
	r, err := reader{assume: o.AssumeInternational}.choose(text, o.region(), separators)
	if err != nil {
		return Number{}, err
	}
	if err := o.permit(r); err != nil {
		return Number{}, err
	}
	return r.Number, nil
}

// region is empty where it is not known.
func (o *Options) region() string {
	country := o.Country
	if strings.TrimSpace(country) == "" {
		country = o.Region
	}
	region, _ := Country(country)
	return region
}

// permit refuses what is a number but should not be called.
func (o *Options) permit(n reading) error {
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

// refusedKind allows what the metadata calls a fixed line, a mobile or a VoIP
// number, and nothing else: the rest costs extra or reaches no person.
func refusedKind(n reading) Reason {
	switch n.callingCode {
	case 870, 881, 882, 883: // Inmarsat, GMSS, international networks (ITU-T E.164)
		return Satellite
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
