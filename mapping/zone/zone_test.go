package zone_test

import (
	"testing"
	"time"

	"callbridge/mapping/zone"
	"callbridge/zonedata"
)

// offsets are in July, when summer time shows whether a zone has it.
func TestFindReadsWhatCRMsWrite(t *testing.T) {
	t.Parallel()
	july := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"America/Los_Angeles": "-07:00", "america/los_angeles": "-07:00", "us_slash_eastern": "-04:00", "US/Eastern": "-04:00",
		"america_slash_argentina_slash_buenos_aires": "-03:00", "Eastern Time (US & Canada)": "-04:00", "(GMT-05:00) Eastern Time (US & Canada)": "-04:00",
		"Arizona": "-07:00", "Eastern Standard Time": "-04:00", "US Mountain Standard Time": "-07:00", "W. Europe Standard Time": "+02:00",
		"Europe/Berlin": "+02:00", "  Europe/Kyiv ": "+03:00", "New Delhi": "+05:30", "UTC": "+00:00", "GMT": "+00:00", "Etc/GMT+5": "-05:00",
		"+02:00": "+02:00", "UTC-5": "-05:00", "GMT+0530": "+05:30", "-0330": "-03:30",
	} {
		location, ok := zone.Find(text)
		if !ok {
			t.Errorf("%q is not found", text)
			continue
		}
		if got := july.In(location).Format("-07:00"); got != want {
			t.Errorf("%q is %s in July, want %s", text, got, want)
		}
	}
}

func TestFindDoesNotGuess(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "EST", "PST", "CET", "IST", "Local", "localtime", "Narnia/City", "+99:00", "+2:75", "../etc/passwd", "5", "America", "EST5EDT"} {
		if location, ok := zone.Find(text); ok {
			t.Errorf("%q is %s", text, location)
		}
	}
}

// TestEveryNameLoads finds typing errors in the two tables.
func TestEveryNameLoads(t *testing.T) {
	t.Parallel()
	if n := zone.EachName(func(spelling, name string) {
		if _, err := zonedata.Load(name); err != nil {
			t.Errorf("%s: %v", spelling, err)
		}
	}); n < 800 {
		t.Errorf("%d names", n)
	}
}
