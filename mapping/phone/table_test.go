package phone

import (
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
