package phone_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"callbridge/mapping/phone"
)

// reason returns the reason of an *Error, or "" without an error.
func reason(t *testing.T, err error) phone.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *phone.Error
	if !errors.As(err, &refused) {
		t.Fatalf("error %v is no *phone.Error", err)
	}
	return refused.Reason
}

type parseCase struct {
	name, raw string
	options   phone.Options
	want      string
	reason    phone.Reason
}

func checkParse(t *testing.T, tests []parseCase) {
	t.Helper()
	for _, tt := range tests {
		n, err := phone.Parse(tt.raw, tt.options)
		if got := reason(t, err); got != tt.reason || n.E164.Reveal() != tt.want {
			t.Errorf("%s: %q = %q, reason %q (%v)\nwant %q, reason %q", tt.name, tt.raw, n.E164.Reveal(), got, err, tt.want, tt.reason)
		}
	}
}

func in(region string) phone.Options { return phone.Options{Region: region} }

func TestParseReadsWhatCRMsHave(t *testing.T) {
	t.Parallel()
	checkParse(t, []parseCase{
		{name: "national", raw: "(202) 555-0142", options: in("US"), want: "+12025550142"},
		{name: "national with country code", raw: "1 202 555 0142", options: in("US"), want: "+12025550142"},
		{name: "E.164", raw: "+12025550142", want: "+12025550142"},
		{name: "trunk zero in brackets", raw: "+49 (0)171 3920123", want: "+491713920123"},
		{name: "country code in brackets", raw: "(+49) 171 3920123", want: "+491713920123"},
		{name: "slash within a number", raw: "030/23125 042", options: in("DE"), want: "+493023125042"},
		{name: "Arabic digits", raw: "٠٥٠١٢٣٤٥٦٧", options: in("SA"), want: "+966501234567"},
		{name: "full-width", raw: "＋４４ ２０ ７９４６ ０９５８", want: "+442079460958"},
		{name: "link", raw: "tel:+1-202-555-0142", want: "+12025550142"},
		{name: "text cell of a spreadsheet", raw: "'+442079460958", want: "+442079460958"},
		{name: "marks of an address book", raw: "\u202a+44\u00a020\u20117946\u20110958\u202c\u200b", want: "+442079460958"},
		{name: "00 without a region", raw: "0044 20 7946 0958", want: "+442079460958"},
		{name: "00 in a region that dials it", raw: "0044 20 7946 0958", options: in("DE"), want: "+442079460958"},
		{name: "011 from America", raw: "011 44 20 7946 0958", options: in("US"), want: "+442079460958"},
		{name: "+ beats the region", raw: "+44 20 7946 0958", options: in("US"), want: "+442079460958"},
		{name: "country beats the region", raw: "020 7946 0958", options: phone.Options{Country: "United Kingdom", Region: "US"}, want: "+442079460958"},
		{name: "blank country leaves the region", raw: "202 555 0142", options: phone.Options{Country: " ", Region: "US"}, want: "+12025550142"},
	})
}

func TestParseRefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	checkParse(t, []parseCase{
		{name: "nothing", raw: " ", options: in("US"), reason: phone.NotANumber},
		{name: "not available", raw: "n/a", options: in("US"), reason: phone.NotANumber},
		{name: "text around", raw: "mobile: 0171 3920123 (private)", options: in("DE"), reason: phone.NotANumber},
		{name: "vanity", raw: "1-800-FLOWERS", options: in("US"), reason: phone.NotANumber},
		{name: "some letters", raw: "0171 3920123 Max", options: in("DE"), reason: phone.InvalidNumber},
		{name: "footnote", raw: "+44 20 7946 095¹", reason: phone.NotANumber},
		{name: "too long", raw: strings.Repeat("1", 65), options: in("US"), reason: phone.TooLong},
		{name: "float of a spreadsheet", raw: "2025550142.0", options: in("US"), reason: phone.InvalidNumber},
		{name: "exponent of a spreadsheet", raw: "2.025550142E9", options: in("US"), reason: phone.InvalidNumber},
		{name: "zeros", raw: "0000000000", options: in("US"), reason: phone.InvalidNumber},
		{name: "no such area", raw: "+1 555 555 5555", reason: phone.InvalidNumber},
		{name: "no such country", raw: "+999 123456789", reason: phone.InvalidNumber},
		{name: "network code", raw: "*31#+442079460958", reason: phone.InvalidNumber},
		{name: "network code before a national number", raw: "*31 171 3920123", options: in("DE"), reason: phone.InvalidNumber},
		{name: "other digits", raw: "+1 202 555 014२", reason: phone.InvalidNumber},
		{name: "two plus signs", raw: "+44+2079460958", reason: phone.InvalidNumber},
		{name: "parameters of a link", raw: "tel:5550142;phone-context=+1202", reason: phone.NotANumber},
		{name: "no region", raw: "2025550142", reason: phone.NoRegion},
		{name: "no region, looks Swiss", raw: "4155550142", options: phone.Options{Plus: phone.PlusOptional}, reason: phone.NoRegion},
		{name: "country not understood", raw: "2025550142", options: phone.Options{Country: "Narnia", Region: "US"}, reason: phone.NoRegion},
		{name: "emergency in America", raw: "911", options: in("US"), reason: phone.Emergency},
		{name: "emergency in Germany", raw: "1-1-2", options: in("DE"), reason: phone.Emergency},
	})
}

func TestParseRefusesTwoReadings(t *testing.T) {
	t.Parallel()
	optional := phone.Options{Region: "DE", Plus: phone.PlusOptional}
	required := phone.Options{Region: "US", Plus: phone.PlusRequired}
	checkParse(t, []parseCase{
		{name: "plus lost", raw: "491711234567", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "plus lost, Austria", raw: "436641234567", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "plus lost, France", raw: "33612345678", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "plus lost, in a form", raw: " 436641234567", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "plus lost, told so", raw: "491711234567", options: optional, want: "+491711234567"},
		{name: "plus lost, told so, Austria", raw: "436641234567", options: optional, want: "+436641234567"},
		{name: "told so, but national", raw: "0171 3920123", options: optional, want: "+491713920123"},
		{name: "told so, with a prefix that may be a calling code", raw: "84841234567", options: phone.Options{Region: "RU", Plus: phone.PlusOptional}, reason: phone.AmbiguousNumber},
		{name: "told so, but a mobile number without its 0", raw: "15123456789", options: optional, reason: phone.AmbiguousNumber},
		{name: "told so, but a whole American number", raw: "3212345678", options: phone.Options{Region: "US", Plus: phone.PlusOptional}, reason: phone.AmbiguousNumber},
		{name: "told so, American", raw: "2025550142", options: phone.Options{Region: "US", Plus: phone.PlusOptional}, want: "+12025550142"},
		{name: "told so, Austrian in the US", raw: "436641234567", options: phone.Options{Region: "US", Plus: phone.PlusOptional}, want: "+436641234567"},
		{name: "one reading only", raw: "12025550142", options: in("US"), want: "+12025550142"},
		{name: "one reading only, Switzerland", raw: "41791234567", options: in("CH"), want: "+41791234567"},
		{name: "full national length", raw: "2025550142", options: in("US"), want: "+12025550142"},
		{name: "plus of a form not escaped", raw: " 3212345678", options: in("US"), reason: phone.AmbiguousNumber},
		{name: "blank before a national number", raw: " (415) 555-2671", options: in("US"), want: "+14155552671"},
		{name: "plus required", raw: "2025550142", options: required, reason: phone.AmbiguousNumber},
		{name: "plus required and there", raw: "+1 202 555 0142", options: required, want: "+12025550142"},
		{name: "plus required, 011", raw: "011 44 20 7946 0958", options: required, want: "+442079460958"},
		{name: "area code like the country code", raw: "391 1234567", options: in("IT"), want: "+393911234567"},
	})
}

func TestParseRefusesTheWayOfAnotherCountry(t *testing.T) {
	t.Parallel()
	optional := phone.Options{Region: "DE", TrunkOptional: true}
	checkParse(t, []parseCase{
		{name: "American with 1", raw: "1-512-345-6789", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "American with 1 and blanks", raw: "1 702 555 0142", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "American with brackets", raw: "(415) 555-2671", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "American in France", raw: "(512) 345-6789", options: in("FR"), reason: phone.InvalidNumber},
		{name: "0 lost", raw: "15123456789", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "0 lost, told so", raw: "15123456789", options: optional, want: "+4915123456789"},
		{name: "0 lost of a fixed line, told so", raw: "3023125042", options: optional, want: "+493023125042"},
		{name: "told so, but Austrian", raw: "436641234567", options: optional, reason: phone.AmbiguousNumber},
		{name: "told so, but German with code", raw: "4915123456789", options: optional, reason: phone.AmbiguousNumber},
		{name: "written with 0", raw: "0151 23456789", options: in("DE"), want: "+4915123456789"},
		{name: "8 in Russia", raw: "8 (912) 345-67-89", options: in("RU"), want: "+79123456789"},
		{name: "06 in Hungary", raw: "06 20 123 4567", options: in("HU"), want: "+36201234567"},
		{name: "mobile in China", raw: "131 2345 6789", options: in("CN"), want: "+8613123456789"},
		{name: "fixed line in China without 0", raw: "10 1234 5678", options: in("CN"), reason: phone.AmbiguousNumber},
		{name: "no 0 in Spain", raw: "612 34 56 78", options: in("ES"), want: "+34612345678"},
		{name: "10 digits in India", raw: "98765 43210", options: in("IN"), want: "+919876543210"},
		{name: "0 in India", raw: "098765 43210", options: in("IN"), want: "+919876543210"},
		{name: "carrier in Brazil", raw: "0 15 11 96123-4567", options: in("BR"), want: "+5511961234567"},
		{name: "area code in Brazil", raw: "(11) 96123-4567", options: in("BR"), want: "+5511961234567"},
		{name: "local number of an island", raw: "322-1234", options: in("BS"), reason: phone.AmbiguousNumber},
	})
}

func TestParseRefusesDigitsThatAreNoPartOfTheNumber(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"+493023125042.0", "+49 171 3920123 (1)", "+49 30 23125042 24/7", "+49 171 3920123 [2]", "+49 30 23125042 - 2", "+49 30 23125042 – 12",
		"01713920123.0", "01713920123.00", "2026-11-28", "28.11.2026", "+43 664 1234567 (2)", "0171 3920123/1", "+49 171 3920123 (0)",
	} {
		for _, region := range []string{"DE", "NO", "IT", ""} {
			n, err := phone.Parse(raw, in(region))
			if got := reason(t, err); got != phone.InvalidNumber && got != phone.NoRegion {
				t.Errorf("%q in %q: %s, reason %q", raw, region, n.E164.Reveal(), got)
			}
		}
	}
	checkParse(t, []parseCase{
		{name: "direct dialling", raw: "030 23125-042", options: in("DE"), want: "+493023125042"},
		{name: "dotted pairs", raw: "06.12.34.56.00", options: in("FR"), want: "+33612345600"},
		{name: "dashes with blanks", raw: "202 - 555 - 0142", options: in("US"), want: "+12025550142"},
		{name: "two brackets", raw: "(202)(555)0142", options: in("US"), want: "+12025550142"},
		{name: "slash behind a long area code", raw: "0043 5373/12345", options: in("DE"), want: "+43537312345"},
	})
}

func TestParseReadsACallingCodeOfItsOwn(t *testing.T) {
	t.Parallel()
	with := func(code string) phone.Options { return phone.Options{Country: code, Region: "US"} }
	checkParse(t, []parseCase{
		{name: "with +", raw: "98765 43210", options: with("+91"), want: "+919876543210"},
		{name: "digits", raw: "98765 43210", options: with("91"), want: "+919876543210"},
		{name: "with the name", raw: "98765 43210", options: with("India (+91)"), want: "+919876543210"},
		{name: "before the name", raw: "98765 43210", options: with("+91 India"), want: "+919876543210"},
		{name: "with 00", raw: "98765 43210", options: with("0091"), want: "+919876543210"},
		{name: "no trunk prefix", raw: "151 23456789", options: with("+49"), want: "+4915123456789"},
		{name: "trunk prefix", raw: "0151 23456789", options: with("+49"), want: "+4915123456789"},
		{name: "code in both", raw: "919876543210", options: with("+91"), want: "+919876543210"},
		{name: "number with its own +", raw: "+44 20 7946 0958", options: with("+91"), want: "+442079460958"},
		{name: "code in both, two numbers", raw: "4915123456789", options: with("+49"), reason: phone.AmbiguousNumber},
		{name: "Luxembourg or Iceland", raw: "621 123 456", options: with("352"), reason: phone.NoRegion},
		{name: "Luxembourg", raw: "621 123 456", options: with("+352"), want: "+352621123456"},
		{name: "ISO number", raw: "(202) 555-0142", options: with("840"), want: "+12025550142"},
		{name: "no such code", raw: "202 555 0142", options: with("+999"), reason: phone.NoRegion},
		{name: "wrong length for the code", raw: "555 0142", options: with("+1"), reason: phone.InvalidNumber},
	})
}

func TestParseTakesTheFirstOfSeveral(t *testing.T) {
	t.Parallel()
	const first = "+12025550142"
	checkParse(t, []parseCase{
		{name: "spaced slash", raw: "+1 202 555 0142 / +1 202 555 0143", want: first},
		{name: "bare slash", raw: "+12025550142/+12025550143", want: first},
		{name: "bare slash, national", raw: "030 23125/030 23125", options: in("DE"), want: "+493023125"},
		{name: "semicolon", raw: "+12025550142; +12025550143", want: first},
		{name: "semicolon, national", raw: "202 555 0142; 2025550143", options: in("US"), want: first},
		{name: "comma", raw: "(202) 555-0142, (202) 555-0143", options: in("US"), want: first},
		{name: "pipe", raw: "+12025550142|+12025550143", want: first},
		{name: "line", raw: "+12025550142\r\n+12025550143", want: first},
		{name: "or", raw: "+12025550142 or +12025550143", want: first},
		{name: "oder", raw: "+12025550142 ODER +12025550143", want: first},
		{name: "label behind", raw: "+1 202 555 0142 / home", want: first},
		{name: "label before", raw: "n/a; +1 202 555 0142", want: first},
		{name: "second is valid", raw: "12345; +1 202 555 0142", options: in("US"), want: first},
		{name: "tail of a number", raw: "0171, 3920123", options: in("DE"), reason: phone.InvalidNumber},
		{name: "tail behind a slash", raw: "0171 / 3920123", options: in("DE"), want: "+491713920123"},
		{name: "bare slash, one part valid", raw: "+12025550142/12", reason: phone.InvalidNumber},
		{name: "first may not be called", raw: "+44 909 879 0000; +12025550142", reason: phone.PremiumRate},
	})
}

func TestErrorsMaskTheNumber(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"2025550142", "+44 20 7946 0958 ext 12", "12025550142123", "+1 900 555 0142"} {
		_, err := phone.Parse(raw, phone.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), string(reason(t, err))+": ") {
			t.Fatalf("%s: error %v", raw, err)
		}
		if strings.Contains(err.Error(), "555") || strings.Contains(err.Error(), "7946") {
			t.Errorf("%s: error shows the number: %v", raw, err)
		}
	}
}

func TestParseRefusesKindsThatAreNotCalled(t *testing.T) {
	t.Parallel()
	checkParse(t, []parseCase{
		{name: "premium, America", raw: "+1 900 555 0142", reason: phone.PremiumRate},
		{name: "premium, Britain", raw: "+44 909 879 0000", reason: phone.PremiumRate},
		{name: "premium, international", raw: "+979 1 2345 6789", reason: phone.PremiumRate},
		{name: "shared cost", raw: "+49 180 5 000000", reason: phone.SharedCost},
		{name: "shared cost, international", raw: "+808 1234 5678", reason: phone.SharedCost},
		{name: "toll-free", raw: "+1 800 555 0142", reason: phone.TollFree},
		{name: "toll-free, Britain", raw: "+44 808 157 0000", reason: phone.TollFree},
		{name: "toll-free, international", raw: "+800 1234 5678", reason: phone.TollFree},
		{name: "Inmarsat", raw: "+870 773 111 632", reason: phone.Satellite},
		{name: "satellite", raw: "+881 612 345 678", reason: phone.Satellite},
		{name: "international network 882", raw: "+882 16 1234567", reason: phone.Satellite},
		{name: "international network 883", raw: "+883 5100 12345", reason: phone.Satellite},
		{name: "international personal", raw: "+878 10 1234567890", reason: phone.PersonalNumber},
		{name: "disaster relief", raw: "+888 123 456 789 01", reason: phone.UAN},
		{name: "personal", raw: "+44 70 1234 5678", reason: phone.PersonalNumber},
		{name: "pager", raw: "+44 76 4012 3456", reason: phone.Pager},
		{name: "company's hotline", raw: "+44 3069 990 000", reason: phone.UAN},
		{name: "voicemail", raw: "+49 177 99 1234567", reason: phone.Voicemail},
		{name: "internet telephony", raw: "+44 56 1234 5678", want: "+445612345678"},
	})
}

func TestParseAllowsRegionsByTheDigits(t *testing.T) {
	t.Parallel()
	only := func(regions ...string) phone.Options {
		return phone.Options{Region: regions[0], Regions: regions}
	}
	checkParse(t, []parseCase{
		{name: "Jamaica under an American default", raw: "8765550142", options: only("US"), reason: phone.RegionNotAllowed},
		{name: "Jamaica, allowed", raw: "8765550142", options: only("US", "JM"), want: "+18765550142"},
		{name: "Canada is not the US", raw: "+1 613 555 0142", options: only("US"), reason: phone.RegionNotAllowed},
		{name: "Guernsey goes with GB", raw: "07911 123456", options: only("GB"), want: "+447911123456"},
		{name: "GB does not go with Guernsey", raw: "+44 20 7946 0958", options: only("GG"), reason: phone.RegionNotAllowed},
		{name: "other country", raw: "+44 20 7946 0958", options: only("US"), reason: phone.RegionNotAllowed},
		{name: "empty list allows all", raw: "8765550142", options: in("US"), want: "+18765550142"},
	})
}

func TestParseReturnsTheRegionOfTheDigits(t *testing.T) {
	t.Parallel()
	n, err := phone.Parse("8765550142", in("US"))
	if err != nil || n.Region != "JM" {
		t.Errorf("region %q, error %v, want JM", n.Region, err)
	}
}

func TestParseKeepsExtensionsApart(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, number, extension string }{
		{"+1 202 555 0142 ext. 12", "+12025550142", "12"},
		{"+1 202 555 0142 x34", "+12025550142", "34"},
		{"+44 20 7946 0958,,123#", "+442079460958", "123"},
		{"tel:+12025550142;ext=5", "+12025550142", "5"},
	}
	for _, tt := range tests {
		_, err := phone.Parse(tt.raw, phone.Options{})
		if got := reason(t, err); got != phone.HasExtension {
			t.Errorf("%s: reason %q, want %q", tt.raw, got, phone.HasExtension)
		}
		n, err := phone.Parse(tt.raw, phone.Options{AllowExtension: true})
		if err != nil || n.E164.Reveal() != tt.number || n.Extension != tt.extension {
			t.Errorf("%s = %s extension %q, error %v", tt.raw, n.E164, n.Extension, err)
		}
	}
}

func TestParseKnowsFictionalNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw       string
		fictional bool
	}{
		{"+1 202 555 0100", true},
		{"+1 613 555 0199", true},
		{"+1 202 555 0200", false},
		{"+1 202 555 1213", false},
		{"+44 20 7946 0999", true},
		{"+44 20 7946 1000", false},
		{"+44 28 9649 6123", true},
		{"+49 30 23125 042", true},
		{"+33 1 99 00 12 34", true},
		{"+33 1 45 67 89 01", false},
	}
	for _, tt := range tests {
		if _, err := phone.Parse(tt.raw, phone.Options{}); err != nil {
			t.Errorf("%s: %v, want it accepted by default", tt.raw, err)
		}
		_, err := phone.Parse(tt.raw, phone.Options{RefuseFictional: true})
		want := phone.Reason("")
		if tt.fictional {
			want = phone.FictionalNumber
		}
		if got := reason(t, err); got != want {
			t.Errorf("%s: reason %q, want %q", tt.raw, got, want)
		}
	}
}

var e164 = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)

// FuzzParse: whatever a field says, a number that Parse returns can be dialled,
// costs nothing extra, and parses to itself.
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
		n, err := phone.Parse(raw, phone.Options{Country: country, AllowExtension: lenient, TrunkOptional: lenient})
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
