package phone_test

import (
	"testing"

	"callbridge/mapping/phone"
)

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
		{"+1 202 555 1212", false},
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
