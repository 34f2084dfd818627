package phone

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"callbridge/event"
)

// asLibrary is what parse does, by the library's own functions.
func asLibrary(digits, home string) (reading, bool) {
	n, err := phonenumbers.Parse(digits, home)
	if err != nil {
		return reading{}, false
	}
	r := reading{kind: phonenumbers.GetNumberType(n), callingCode: n.GetCountryCode()}
	if r.kind == phonenumbers.UNKNOWN { // IsValidNumber asks the same
		return reading{}, false
	}
	r.E164 = event.Phone(phonenumbers.Format(n, phonenumbers.E164))
	r.Region = phonenumbers.GetRegionCodeForNumber(n)
	return r, len(r.E164) >= minE164 && len(r.E164) <= maxE164
}

func checkAsLibrary(t *testing.T, digits, home string) {
	t.Helper()
	got, ok := parse(digits, home)
	want, wantOK := asLibrary(digits, home)
	if ok != wantOK || ok && got != want {
		t.Errorf("%s in %q: %s kind %d of %s, %t\nlibrary: %s kind %d of %s, %t",
			digits, home, got.E164.Reveal(), got.kind, got.Region, ok, want.E164.Reveal(), want.kind, want.Region, wantOK)
	}
}

// TestParseIsAsTheLibrary takes the examples that the metadata has of every
// kind of number of every region, with prefixes too, and numbers beside them.
func TestParseIsAsTheLibrary(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	valid, kinds := 0, map[phonenumbers.PhoneNumberType]bool{}
	for _, m := range territories(t) {
		code := strconv.Itoa(int(m.GetCountryCode()))
		for i, desc := range []*phonenumbers.PhoneNumberDesc{
			m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(),
			m.GetPersonalNumber(), m.GetVoip(), m.GetPager(), m.GetUan(), m.GetVoicemail(), m.GetNoInternationalDialling(),
		} {
			example := desc.GetExampleNumber()
			if example == "" {
				continue
			}
			if r, ok := parse("+"+code+example, ""); ok {
				valid, kinds[r.kind] = valid+1, true
			}
			for _, national := range []string{example, m.GetNationalPrefix() + example, beside(rng, example)} {
				checkAsLibrary(t, "+"+code+national, "")
				checkAsLibrary(t, national, m.GetId())
			}
			if i > 1 {
				continue
			}
			for _, prefix := range []string{"", "00", "011", "0", "8", "1"} {
				checkAsLibrary(t, prefix+code+example, m.GetId())
				checkAsLibrary(t, "+"+prefix+code+example, "")
			}
		}
	}
	if valid < 1000 || len(kinds) != 11 {
		t.Errorf("%d examples of %d kinds are valid", valid, len(kinds))
	}
}

// beside makes a number that is like the example up to some digit, and perhaps
// one longer or shorter.
func beside(rng *rand.Rand, example string) string {
	same := rng.IntN(len(example))
	rest := max(0, len(example)-same+rng.IntN(3)-1)
	return example[:same] + fmt.Sprintf("%015d", rng.Int64N(1e15))[:min(rest, 15)]
}

func territories(t testing.TB) []*phonenumbers.PhoneMetadata {
	t.Helper()
	metadata, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	return metadata.GetMetadata()
}

// FuzzParseIsAsTheLibrary holds that the short way to the region and the kind
// of a number, and to whether it is one, ends where the library's does.
func FuzzParseIsAsTheLibrary(f *testing.F) {
	f.Add("12025550142", "US")
	f.Add("01143720555014", "US")
	f.Add("5491123456789", "AR")
	f.Add("02115987654321", "BR")
	f.Add("447911123456", "GB")
	f.Add("390669812345", "IT")
	f.Add("77710009998", "KZ")
	f.Add("87810123456789", "")
	f.Fuzz(func(t *testing.T, text, home string) {
		digits := phonenumbers.NormalizeDigitsOnly(text)
		if len(digits) > maxBytes || !isASCII(digits) {
			return
		}
		checkAsLibrary(t, "+"+digits, "")
		if phonenumbers.GetSupportedRegions()[home] {
			checkAsLibrary(t, digits, home)
		}
	})
}
