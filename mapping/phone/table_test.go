package phone

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// TestCountriesAreUnambiguous looks at the table itself, of which Country shows
// only one writing at a time.
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
		for writing := range strings.SplitSeq(line, ";") {
			key := fold(writing)
			if owner, taken := owners[key]; taken || key == "" {
				t.Errorf("%q of %s is taken by %q", writing, code, owner)
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

// TestReservedNumbersAreWritten holds the list of beginnings against typing
// errors: each is the start of a valid number.
func TestReservedNumbersAreWritten(t *testing.T) {
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
