package hours

import (
	"strings"
	"testing"
	"time"
)

func TestParseDaysSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]map[string][]string{
		`no day is named`:    {},
		`"monday" is no day`: {"monday": {"09:00-17:00"}},
		`"mon-" is no day`:   {"mon-": {"09:00-17:00"}},
		`fri is in "fri" and in "mon-fri": name each day`:   {"mon-fri": {"09:00-17:00"}, "fri": {}},
		`mon: "9:00" is no time of a day`:                   {"mon": {"9:00-17:00"}},
		`mon: "09:60" is no time of a day`:                  {"mon": {"09:60-17:00"}},
		`mon: "24:01" is no time of a day`:                  {"mon": {"09:00-24:01"}},
		`mon: "0900" is no span`:                            {"mon": {"0900"}},
		`mon: 09:00-09:00 is empty`:                         {"mon": {"09:00-09:00"}},
		`22:00-06:00 goes over midnight: write two spans`:   {"mon": {"22:00-06:00"}},
		`09:00-12:00 and 11:00-13:00 overlap or touch`:      {"mon": {"11:00-13:00", "09:00-12:00"}},
		`09:00-12:00 and 12:00-13:00 overlap or touch`:      {"mon": {"09:00-12:00", "12:00-13:00"}},
		`no day has a span, so nobody could ever be called`: {"mon-sun": {}},
	} {
		if _, err := ParseDays(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", text, err, want)
		}
	}
}

func TestParseDays(t *testing.T) {
	t.Parallel()
	days, err := ParseDays(map[string][]string{"mon-thu": {"14:00-19:00", "09:00-12:30"}, "sat-sun": {"00:00-24:00"}})
	if err != nil {
		t.Fatal(err)
	}
	for weekday, want := range map[time.Weekday]string{
		time.Monday: "09:00-12:30 14:00-19:00", time.Thursday: "09:00-12:30 14:00-19:00", time.Friday: "",
		time.Saturday: "00:00-24:00", time.Sunday: "00:00-24:00",
	} {
		var spans []string
		for _, span := range days[weekday] {
			spans = append(spans, span.String())
		}
		if got := strings.Join(spans, " "); got != want {
			t.Errorf("%s: %q, want %q", weekday, got, want)
		}
	}
}

// FuzzParseDay: what is read is written again as the same spans.
func FuzzParseDay(f *testing.F) {
	f.Add("09:00-12:30", "14:00-24:00")
	f.Add("00:00-00:01", "23:59-24:00")
	f.Fuzz(func(t *testing.T, first, second string) {
		day, err := ParseDay([]string{first, second})
		if err != nil {
			return
		}
		again, err := ParseDay([]string{day[1].String(), day[0].String()})
		if err != nil || again[0] != day[0] || again[1] != day[1] || day[0].To >= day[1].From || day[1].To > minutesADay {
			t.Errorf("%q, %q: %v, and again %v (%v)", first, second, day, again, err)
		}
	})
}

func TestRulesOfRegions(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"US": "us-federal", "US-FL": "us-federal US-FL", "US-CO": "us-federal", "CA-BC": "ca", "DE-BY": "de-code", "US-TX": "us-federal US-TX",
		"IN": "", "": "", "FL": "",
	} {
		rules, ok := Law(region)
		var names []string
		for _, rule := range rules {
			names = append(names, rule.Name)
		}
		if got := strings.Join(names, " "); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", region, got, ok, want)
		}
	}
}

// TestStrictProfileFitsEveryState: a call by us-strict is allowed in each state.
func TestStrictProfileFitsEveryState(t *testing.T) {
	t.Parallel()
	strict, _ := Profile("us-strict")
	holidays := func(*Rule, Date) bool { return false }
	checked := 0
	for region, rule := range shipped().regions {
		if !strings.HasPrefix(region, "US") {
			continue
		}
		for at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC); at.Day() < 30; at = at.Add(time.Minute) {
			allowed := Schedule{Rules: []*Rule{strict}, Zones: []*time.Location{time.UTC}, Holidays: holidays}
			state := Schedule{Rules: []*Rule{rule}, Zones: []*time.Location{time.UTC}, Holidays: holidays}
			if _, open := allowed.Open(at); !open {
				continue
			}
			if checked++; !isOpen(state, at) {
				t.Fatalf("%s is closed at %s", region, at)
			}
		}
	}
	if checked < 40_000 {
		t.Errorf("%d minutes", checked)
	}
}

func isOpen(s Schedule, at time.Time) bool {
	_, open := s.Open(at)
	return open
}

func TestDataWithMistakesAreRefused(t *testing.T) {
	t.Parallel()
	const rule = "{days: {mon: ['09:00-17:00']}, source: law, strength: statute, checked: 2026-11-28}"
	if _, err := parse([]byte("profiles: {x: " + rule + "}\nregions: {US: x, US-FL: " + rule + "}")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"profiles: {x: {days: {mon: ['09:00-17:00']}, strength: statute, checked: 2026-11-28}}",
		"profiles: {x: {days: {mon: ['09:00-17:00']}, source: law, strength: rumour, checked: 2026-11-28}}",
		"profiles: {x: {days: {mon: ['09:00-17:00']}, source: law, strength: statute}}",
		"profiles: {x: {days: {mon: ['17:00-09:00']}, source: law, strength: statute, checked: 2026-11-28}}",
		"profiles: {x: {days: {mon: ['09:00-17:00']}, holidays: ['8'], source: law, strength: statute, checked: 2026-11-28}}",
		"regions: {US: y}", "regions: {US: {days: {}}}", "profiles: [",
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}
