package holiday

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/us"
)

// libraries are the holidays of the library rickar/cal for regions of ours, which were
// made apart from our data.
var libraries = map[string][]*cal.Holiday{
	"US": us.Holidays, "CA": ca.Holidays, "FR": fr.Holidays, "ES": es.Holidays, "GB-ENG": gb.Holidays, "AU": nationalAU(),
	"DE-BB": de.HolidaysBB, "DE-BE": de.HolidaysBE, "DE-BW": de.HolidaysBW, "DE-BY": de.HolidaysBY, "DE-HB": de.HolidaysHB,
	"DE-HE": de.HolidaysHE, "DE-HH": de.HolidaysHH, "DE-MV": de.HolidaysMV, "DE-NI": de.HolidaysNI, "DE-NW": de.HolidaysNW,
	"DE-RP": de.HolidaysRP, "DE-SH": de.HolidaysSH, "DE-SL": de.HolidaysSL, "DE-SN": de.HolidaysSN, "DE-ST": de.HolidaysST, "DE-TH": de.HolidaysTH,
}

// differ are the days about which we and the library differ, and why.
var differ = map[string]string{
	"DE-BB Ostersonntag": "a Sunday, which the library leaves out", "DE-BB Pfingstsonntag": "a Sunday, which the library leaves out",
	"DE-MV Frauentag":         "since 2023, which the library does not know",
	"DE-BY Mariä Himmelfahrt": "in most communes of Bavaria, which the library leaves out",
	"CA Easter Monday":        "of federal employees only", "CA Civic/Provincial Day": "of some provinces only: here it is theirs",
	"AU Anzac Day": "the states have their own forms of it in the library", "AU Boxing Day": "as Anzac Day", "AU Boxing Day (substitute)": "as Anzac Day",
}

func TestAgainstTheLibrary(t *testing.T) {
	t.Parallel()
	for region, theirs := range libraries {
		if !strings.Contains(region, "-") {
			region += "-" // no part: the days that the whole country has
		}
		for day := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2028; day = day.AddDate(0, 0, 1) {
			ours, known := Name(region, day)
			if !known {
				t.Fatalf("%s: %d is not known", region, day.Year())
			}
			name := named(theirs, day)
			if _, known := differ[strings.TrimSuffix(region, "-")+" "+ours+name]; (name == "") != (ours == "") && !known {
				t.Errorf("%s on %s: %q here, %q there", region, day.Format(time.DateOnly), ours, name)
			}
		}
	}
}

// named is the holiday of the library on a day, actual or observed.
func named(holidays []*cal.Holiday, day time.Time) string {
	for _, h := range holidays {
		for _, year := range []int{day.Year(), day.Year() + 1} {
			actual, observed := h.Calc(year)
			if sameDay(actual, day) || sameDay(observed, day) {
				return h.Name
			}
		}
	}
	return ""
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func TestName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ region, day, want string }{
		{"US-LA", "2026-11-26", "Thanksgiving Day"}, {"US-LA", "2027-02-09", "Mardi Gras"}, {"US", "2027-02-09", "Mardi Gras in US-AL"}, {"DE", "2027-01-06", "Heilige Drei Könige in DE-BW"}, {"DE", "2027-01-07", ""}, {"US-UT", "2027-07-23", "Pioneer Day (observed)"},
		{"DE-BY", "2026-11-01", "Allerheiligen"}, {"DE-BE", "2026-11-01", ""}, {"DE-XX", "2026-10-03", "Tag der Deutschen Einheit"},
		{"FR-67", "2027-03-26", "Vendredi saint"}, {"FR-75", "2027-03-26", ""}, {"FR", "2027-03-26", "Vendredi saint in FR-57"}, {"GB-SCT", "2026-11-30", "St Andrew's Day"}, {"GB-ENG", "2027-12-28", "Boxing Day (substitute)"},
		{"CA-QC", "2027-06-24", "Fête nationale"}, {"US", "2028-01-01", "?"}, {"IN", "2026-12-25", "?"}, {"", "2026-12-25", "?"},
	} {
		day, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		name, known := Name(c.region, day)
		if !known {
			name = "?"
		}
		if name != c.want {
			t.Errorf("%s on %s: %q, want %q", c.region, c.day, name, c.want)
		}
	}
}

// TestThisYearAndTheNextAreKnown: data end. It fails in the December before the year that
// is missing, so that somebody adds it in time.
func TestThisYearAndTheNextAreKnown(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for region := range shipped() {
		country, _, _ := strings.Cut(region, "-")
		for _, at := range []time.Time{now, now.AddDate(0, 0, 31)} {
			if _, known := Name(country, at); !known {
				t.Errorf("%s: the holidays of %d are missing", country, at.Year())
			}
		}
	}
	if countries := slices.Collect(maps.Keys(shipped())); len(countries) < 40 {
		t.Errorf("%d regions", len(countries))
	}
}

func TestDataWithMistakesAreRefused(t *testing.T) {
	t.Parallel()
	for text, file := range map[string]string{
		"DE: {2026: {2026-01-01: Neujahr}}":      "fr.yaml",
		"DE: {2026: {2027-01-01: Neujahr}}":      "de.yaml",
		"DE: {2026: {2026-13-01: Neujahr}}":      "de.yaml",
		"DE: {2026: {2026-01-01: ''}}":           "de.yaml",
		"DE: [2026-01-01]":                       "de.yaml",
		"DE-BY: {soon: {2026-01-06: Epiphanie}}": "de.yaml",
	} {
		if _, err := read(fstest.MapFS{file: {Data: []byte(text)}}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s in %s: %v", text, file, err)
		}
	}
}

// nationalAU are the holidays that all states of Australia have.
func nationalAU() (all []*cal.Holiday) {
	for _, h := range au.HolidaysNSW {
		everywhere := true
		for _, state := range [][]*cal.Holiday{au.HolidaysACT, au.HolidaysNT, au.HolidaysQLD, au.HolidaysSA, au.HolidaysTAS, au.HolidaysVIC, au.HolidaysWA} {
			everywhere = everywhere && slices.Contains(state, h)
		}
		if everywhere {
			all = append(all, h)
		}
	}
	return all
}
