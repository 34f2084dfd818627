package phone_test

import (
	"strings"
	"testing"

	"callbridge/mapping/phone"
)

func TestParseRefusesNumbersThatOnlyLookLikeAPersons(t *testing.T) {
	t.Parallel()
	checkParse(t, []parseCase{
		{name: "976 in New York", raw: "+1 212 976 2345", reason: phone.PremiumRate},
		{name: "976 in Jamaica", raw: "+1 876 976 1234", reason: phone.PremiumRate},
		{name: "976, national", raw: "(212) 976-2345", options: in("US"), reason: phone.PremiumRate},
		{name: "carrier access", raw: "+1 212 950 1234", reason: phone.ServiceNumber},
		{name: "directory assistance", raw: "+1 212 555 1212", reason: phone.ServiceNumber},
		{name: "directory assistance, Jamaica", raw: "+1 876 555 1212", reason: phone.ServiceNumber},
		{name: "test line 958", raw: "+1 212 958 1234", reason: phone.ServiceNumber},
		{name: "test line 959", raw: "+1 212 959 1234", reason: phone.ServiceNumber},
		{name: "no exchange", raw: "+1 212 911 1234", reason: phone.InvalidNumber},
		{name: "non-geographic, Canada", raw: "+1 600 555 1234", reason: phone.ServiceNumber},
		{name: "satellite, Australia", raw: "+61 147 123 456", reason: phone.Satellite},
		{name: "satellite, Australia, 145", raw: "+61 145 101 234", reason: phone.Satellite},
		{name: "satellite, Australia, national", raw: "0147 123 456", options: in("AU"), reason: phone.Satellite},
		{name: "satellite, Russia", raw: "+7 954 123-45-67", reason: phone.Satellite},
		{name: "satellite, China, 1349", raw: "+86 1349 123 4567", reason: phone.Satellite},
		{name: "satellite, China, 1740", raw: "+86 1740 012 3456", reason: phone.Satellite},
		{name: "satellite, Indonesia", raw: "+62 868 123 4567", reason: phone.Satellite},
		{name: "satellite, Vietnam", raw: "+84 672 123 456", reason: phone.Satellite},
		{name: "pager, New Zealand", raw: "+64 26 123 4567", reason: phone.Pager},
		{name: "a company, Seoul", raw: "+82 2 1588 1234", reason: phone.ServiceNumber},
		{name: "a company, Busan", raw: "+82 51 1644 1234", reason: phone.ServiceNumber},
		{name: "a bank, Beijing", raw: "+86 10 95588", reason: phone.ServiceNumber},
		{name: "an authority, Shanghai", raw: "+86 21 12345", reason: phone.ServiceNumber},
		{name: "a bank, India", raw: "+91 1600 123 456", reason: phone.ServiceNumber},
		{name: "a landline, Seoul", raw: "+82 2 788 1234", want: "+8227881234"},
		{name: "a landline, Beijing", raw: "+86 10 6512 3456", want: "+861065123456"},
		{name: "a landline, Shenzhen", raw: "+86 755 8123 4567", want: "+8675581234567"},
		{name: "a mobile, China", raw: "+86 134 8123 4567", want: "+8613481234567"},
		{name: "a mobile, India", raw: "+91 98765 43210", want: "+919876543210"},
		{name: "extension after a semicolon", raw: "+12025550142;ext=5", reason: phone.HasExtension},
		{name: "a context that is premium", raw: "tel:5550142;phone-context=+979", reason: phone.NotANumber},
		{name: "a prefix that hides the caller", raw: "*67+12025550142", reason: phone.InvalidNumber},
		{name: "call forwarding", raw: "**21*+12025550142#", reason: phone.InvalidNumber},
		{name: "trunk prefix before a personal number", raw: "+44 (0)70 0012 3456", reason: phone.PersonalNumber},
		{name: "the line of a person", raw: "+1 212 555 1213", want: "+12125551213"},
		{name: "976 as a line", raw: "+1 212 555 9760", want: "+12125559760"},
		{name: "a mobile, Australia", raw: "+61 412 345 678", want: "+61412345678"},
	})
}

// toll are the shapes of numbers that must never be dialled, in the notation of
// numbering plans: N is 2 to 9, X is any digit. Each is tried with several digits and
// in eight spellings.
var toll = []string{
	"+1 900 NXX XXXX", "+1 212 976 XXXX", "+1 416 976 XXXX", "+1 212 950 XXXX", "+1 310 555 1212", "+1 809 976 XXXX",
	"+1 800 NXX XXXX", "+1 833 NXX XXXX", "+1 844 NXX XXXX", "+1 855 NXX XXXX", "+1 866 NXX XXXX", "+1 877 NXX XXXX", "+1 888 NXX XXXX",
	"+1 500 NXX XXXX", "+1 600 NXX XXXX",
	"+44 9012 34XXXX", "+44 9091 23XXXX", "+44 8712 34XXXX", "+44 8432 10XXXX", "+44 8001 23XXXX", "+44 7012 34XXXX", "+44 3001 23XXXX",
	"+49 900 12X XXXX", "+49 180 5XX XXXX", "+49 137 77X XXXX", "+49 700 12XX XXXX", "+49 800 12XX XXX",
	"+33 899 12XXXX", "+33 800 12XXXX", "+39 899 12XXXX", "+39 144 12XXXX", "+39 199 12XXXX", "+39 800 12XXXX",
	"+34 803 12XXXX", "+34 902 12XXXX", "+34 900 12XXXX", "+41 900 12XXXX", "+41 848 12XXXX", "+41 800 12XXXX",
	"+43 900 12XXXX", "+43 810 12XXXX", "+31 900 12XX", "+32 903 1XXXX", "+46 900 12XXXX", "+47 829 1XXXX", "+45 90 12XXXX",
	"+48 701 23XXXX", "+48 801 23XXXX", "+48 800 12XXXX", "+353 1520 12XXXX", "+351 760 12XXXX", "+30 901 123 XXXX",
	"+420 906 12XXXX", "+40 900 12XXXX", "+7 809 12X XXXX", "+7 800 12X XXXX", "+7 954 12X XXXX",
	"+61 190 012 XXXX", "+61 130 012 XXXX", "+61 180 012 XXXX", "+61 147 1XX XXX", "+61 145 1XX XXX", "+64 900 12XXX",
	"+81 990 12XXXX", "+81 570 12XXXX", "+81 120 12XXXX", "+86 400 12X XXXX", "+65 1900 12X XXXX", "+60 1600 12 XXXX", "+84 1900 12XXXX",
	"+972 1900 12XXXX", "+90 900 12X XXXX", "+27 86 12X XXXX", "+27 90 12X XXXX", "+54 600 12X XXXX", "+55 300 12XXX", "+57 1900 12X XXXX", "+52 900 12X XXXX",
	"+870 773 11X XXX", "+881 612 34X XXX", "+882 16 12X XXXX", "+883 5100 1XXXX", "+888 12X XXX XXX XX", "+979 1 23XX XXXX",
	"+878 10 12XX XXX XXX", "+800 12XX XXXX", "+808 12XX XXXX",
}

// spellings are ways in which people and programs write a number.
var spellings = map[string]func(string) string{
	"spaces": func(s string) string { return s },
	"E.164":  func(s string) string { return strings.ReplaceAll(s, " ", "") },
	"dots":   func(s string) string { return strings.ReplaceAll(s, " ", ".") },
	"dashes": func(s string) string { return strings.ReplaceAll(s, " ", "-") },
	"00":     func(s string) string { return "00" + strings.TrimPrefix(s, "+") },
	"tel:":   func(s string) string { return "tel:" + strings.ReplaceAll(s, " ", "-") },
	"quoted": func(s string) string { return "'" + strings.ReplaceAll(s, " ", "") },
	"full width": func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r - '0' + '０'
			}
			return r
		}, s)
	},
}

func TestTollNumbersAreRefusedInEverySpelling(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, shape := range toll {
		ofAKind := false // and not only invalid, which would prove nothing
		for digit := '2'; digit <= '8'; digit++ {
			number := strings.NewReplacer("N", string(digit), "X", string(digit)).Replace(shape)
			for spelling, write := range spellings {
				tried++
				n, err := phone.Parse(write(number), phone.Options{})
				if err == nil {
					t.Errorf("%s, %s: would be dialled, %s", number, spelling, n.Region)
					continue
				}
				ofAKind = ofAKind || reason(t, err) != phone.InvalidNumber
			}
		}
		if !ofAKind {
			t.Errorf("%s: no number of any country", shape)
		}
	}
	if tried < 547*8 {
		t.Errorf("tried only %d", tried)
	}
}
