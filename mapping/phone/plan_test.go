package phone

import (
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"callbridge/event"
)

// asLibrary is parse by the library's own functions.
func asLibrary(digits, home string) (parsed, bool) {
	n, err := phonenumbers.Parse(digits, home)
	if err != nil {
		return parsed{}, false
	}
	r := parsed{kind: phonenumbers.GetNumberType(n), callingCode: n.GetCountryCode()}
	if r.kind == phonenumbers.UNKNOWN { // IsValidNumber asks the same
		return parsed{}, false
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

// TestParseAgreesWithTheLibrary uses the metadata's example of every kind of number
// of every region, with and without prefixes, and numbers similar to it.
func TestParseAgreesWithTheLibrary(t *testing.T) {
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
			for _, national := range []string{example, m.GetNationalPrefix() + example, similar(rng, example)} {
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

// similar returns a number that is equal to the example up to a random digit, and
// up to one digit longer or shorter.
func similar(rng *rand.Rand, example string) string {
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

// FuzzParseAgreesWithTheLibrary compares region, kind and validity with the
// library's answers.
func FuzzParseAgreesWithTheLibrary(f *testing.F) {
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

// TestCountriesAreUnambiguous checks the whole table.
func TestCountriesAreUnambiguous(t *testing.T) {
	t.Parallel()
	owners := map[string]string{}
	for line := range strings.Lines(countries) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		code, _, _ := strings.Cut(line, ";")
		if phonenumbers.GetCountryCodeForRegion(code) == 0 {
			t.Errorf("%q is no region with telephones", code)
		}
		for spelling := range strings.SplitSeq(line, ";") {
			key := fold(spelling)
			if owner, taken := owners[key]; taken || key == "" {
				t.Errorf("%q of %s is taken by %q", spelling, code, owner)
			}
			owners[key] = code
		}
	}
	for region := range phonenumbers.GetSupportedRegions() {
		if owners[fold(region)] != region {
			t.Errorf("%s is missing", region)
		}
	}
}

// TestReservedPrefixesBeginValidNumbers finds typing errors in the list.
func TestReservedPrefixesBeginValidNumbers(t *testing.T) {
	t.Parallel()
	for _, start := range reserved {
		valid := false
		for rest := "0"; len(rest) < 6 && !valid; rest += "0" {
			_, valid = parse(start+rest, "")
		}
		if !valid {
			t.Errorf("%s begins no valid number", start)
		}
	}
}

// TestEmergencyNumbersAreShort holds maxEmergency against the patterns
// themselves, which the library matches whatever lengths stand beside them.
func TestEmergencyNumbersAreShort(t *testing.T) {
	t.Parallel()
	metadata, err := phonenumbers.ShortNumberMetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, m := range metadata.GetMetadata() {
		pattern, err := syntax.Parse(m.GetEmergency().GetNationalNumberPattern(), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, longest(t, pattern))
	}
	if most != maxEmergency {
		t.Errorf("the longest emergency number has %d digits", most)
	}
}

// longest is how many characters a text that fits the pattern has at most.
func longest(t *testing.T, re *syntax.Regexp) int {
	t.Helper()
	total, most := 0, 0
	for _, sub := range re.Sub {
		n := longest(t, sub)
		total, most = total+n, max(most, n)
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return 0
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass:
		return 1
	case syntax.OpConcat:
		return total
	case syntax.OpAlternate, syntax.OpQuest, syntax.OpCapture:
		return most
	case syntax.OpRepeat:
		if re.Max >= 0 {
			return re.Max * most
		}
	}
	t.Fatalf("%s has no longest text", re)
	return 0
}
