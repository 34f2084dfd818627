package phone_test

import (
	"errors"
	"strings"
	"testing"

	"callbridge/mapping/phone"
)

// reason of a refusal, empty where a number came out.
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
		{name: "no region, looks Swiss", raw: "4155550142", options: phone.Options{AssumeInternational: true}, reason: phone.NoRegion},
		{name: "country not understood", raw: "2025550142", options: phone.Options{Country: "Narnia", Region: "US"}, reason: phone.NoRegion},
		{name: "emergency in America", raw: "911", options: in("US"), reason: phone.Emergency},
		{name: "emergency in Germany", raw: "1-1-2", options: in("DE"), reason: phone.Emergency},
	})
}

func TestParseRefusesTwoReadings(t *testing.T) {
	t.Parallel()
	assume := phone.Options{Region: "DE", AssumeInternational: true}
	checkParse(t, []parseCase{
		{name: "plus lost", raw: "491711234567", options: in("DE"), reason: phone.AmbiguousNumber},
		{name: "plus lost, told so", raw: "491711234567", options: assume, want: "+491711234567"},
		{name: "one reading only", raw: "12025550142", options: in("US"), want: "+12025550142"},
		{name: "told so, but national", raw: "0171 3920123", options: assume, want: "+491713920123"},
		{name: "area code like the country code", raw: "391 1234567", options: in("IT"), want: "+393911234567"},
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
