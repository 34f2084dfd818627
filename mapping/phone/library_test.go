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
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return reading{}, false
	}
	r := reading{kind: phonenumbers.GetNumberType(n), callingCode: n.GetCountryCode()}
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
// kind of number of every region, and numbers beside them.
func TestParseIsAsTheLibrary(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	valid, kinds := 0, map[phonenumbers.PhoneNumberType]bool{}
	for _, m := range territories(t) {
		code := strconv.Itoa(int(m.GetCountryCode()))
		for _, desc := range []*phonenumbers.PhoneNumberDesc{
			m.GetGeneralDesc(), m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(),
			m.GetPersonalNumber(), m.GetVoip(), m.GetPager(), m.GetUan(), m.GetVoicemail(), m.GetNoInternationalDialling(),
		} {
			example := desc.GetExampleNumber()
			if example == "" {
				continue
			}
			if r, ok := parse("+"+code+example, ""); ok {
				valid, kinds[r.kind] = valid+1, true
			}
			for _, national := range append(beside(rng, example), example) {
				checkAsLibrary(t, "+"+code+national, "")
				checkAsLibrary(t, national, m.GetId())
			}
		}
	}
	if valid < 1000 || len(kinds) != 11 {
		t.Errorf("%d examples of %d kinds are valid", valid, len(kinds))
	}
}

// beside makes numbers that are like the example up to some digit, or longer
// or shorter.
func beside(rng *rand.Rand, example string) []string {
	near := []string{example[:len(example)-1], fmt.Sprint(example, rng.IntN(10))}
	for range 4 {
		cut := rng.IntN(len(example))
		rest := len(example) - cut
		near = append(near, example[:cut]+fmt.Sprintf("%015d", rng.Int64N(1e15))[:rest])
	}
	return near
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
