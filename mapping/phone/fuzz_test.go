package phone_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"callbridge/mapping/phone"
)

var e164 = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)

// FuzzParse holds that whatever a field says, what comes out can be dialled and
// costs nobody extra, and reads the same when it comes in again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"(202) 555-0142", "+49 (0)171 3920123", "491711234567", "0044 20 7946 0958", "+1 202 555 0142 x34; 2025550143",
		"tel:+12025550142;ext=5", "٠٥٠١٢٣٤٥٦٧", "+979123456789", "+870773111632", "0171 / 3920123", "*31#", "+", "\xff", "+1\u2028202",
	} {
		f.Add(seed, "DE", true)
		f.Add(seed, "United States", false)
	}
	refused := []phonenumbers.PhoneNumberType{
		phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.TOLL_FREE, phonenumbers.PAGER, phonenumbers.UAN,
		phonenumbers.PERSONAL_NUMBER, phonenumbers.VOICEMAIL, phonenumbers.UNKNOWN,
	}
	f.Fuzz(func(t *testing.T, raw, country string, lenient bool) {
		n, err := phone.Parse(raw, phone.Options{Country: country, AllowExtension: lenient, AssumeInternational: lenient})
		if err != nil {
			reason(t, err)
			return
		}
		number := n.E164.Reveal()
		if !e164.MatchString(number) {
			t.Fatalf("%q gave %q", raw, number)
		}
		parsed, err := phonenumbers.Parse(number, "")
		if err != nil || !phonenumbers.IsValidNumber(parsed) {
			t.Fatalf("%q gave %s, not valid: %v", raw, number, err)
		}
		if kind := phonenumbers.GetNumberType(parsed); slices.Contains(refused, kind) || parsed.GetCountryCode() >= 870 && parsed.GetCountryCode() <= 888 && n.Region == "001" {
			t.Fatalf("%q gave %s of kind %d in %s", raw, number, kind, n.Region)
		}
		again, err := phone.Parse(number, phone.Options{})
		if err != nil || again.E164 != n.E164 || again.Region != n.Region {
			t.Fatalf("%s read again is %s: %v", number, again.E164.Reveal(), err)
		}
	})
}

func BenchmarkParseE164(b *testing.B) {
	benchmark(b, "+12025550142", phone.Options{Region: "US", Regions: []string{"US"}})
}

func BenchmarkParseNational(b *testing.B) {
	benchmark(b, "(202) 555-0142", phone.Options{Country: "United States", Region: "US", Regions: []string{"US"}})
}

func benchmark(b *testing.B, raw string, o phone.Options) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := phone.Parse(raw, o); err != nil {
			b.Fatal(err)
		}
	}
}
