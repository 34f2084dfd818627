package hours

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/zonedata"
)

// The oracle decides minute by minute from the texts of hours.yaml. It shares no code
// with the package but the zones.
type oracle struct {
	profiles map[string]struct {
		Days     map[string][]string
		Holidays *[]string
	}
}

func newOracle(t *testing.T) (o oracle) {
	t.Helper()
	content, err := os.ReadFile("hours.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// UnmarshalYAML keeps the profiles only.
func (o *oracle) UnmarshalYAML(node *yaml.Node) error {
	var file struct {
		Profiles map[string]struct {
			Days     map[string][]string
			Holidays *[]string
		}
	}
	err := node.Decode(&file)
	o.profiles = file.Profiles
	return err
}

// spans are the texts of the day that a clock shows.
func (o oracle) spans(profile string, local time.Time, holiday bool) []string {
	p := o.profiles[profile]
	if holiday && p.Holidays != nil {
		return *p.Holidays
	}
	today := strings.ToLower(local.Format("Mon"))
	const week = "mon tue wed thu fri sat sun"
	for name, spans := range p.Days {
		first, last, isRange := strings.Cut(name, "-")
		if !isRange {
			last = first
		}
		if at := strings.Index(week, today); strings.Index(week, first) <= at && at <= strings.Index(week, last) {
			return spans
		}
	}
	return nil
}

// open compares times as texts. A call that has to begin margin before closing is allowed
// if the clock has not reached the end by then.
func (o oracle) open(profile string, at time.Time, zone *time.Location, margin time.Duration, holiday bool) bool {
	local := at.In(zone)
	clock := local.Format("15:04")
	hour, minute := local.Hour(), local.Minute()
	later := fmt.Sprintf("%02d:%02d", (hour*60+minute+int(margin.Minutes()))/60, (hour*60+minute+int(margin.Minutes()))%60)
	for _, span := range o.spans(profile, local, holiday) {
		if from, to := span[:5], span[6:]; from <= clock && later < to {
			return true
		}
	}
	return false
}

// holidayOf makes every tenth day a holiday, in both.
func holidayOf(d Date) bool { return (int(d.Month)*31+d.Day)%10 == 0 }

// places are zones with and without summer time, with half hours, and those that changed
// in 2026.
var places = []string{
	"America/New_York", "America/Chicago", "America/Los_Angeles", "America/Phoenix", "America/Anchorage", "Pacific/Honolulu",
	"America/Vancouver", "America/Edmonton", "America/Winnipeg", "America/Regina", "America/St_Johns", "America/Havana",
	"Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Africa/Casablanca", "Australia/Sydney", "Australia/Lord_Howe",
	"Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Apia", "Africa/Cairo",
}

func load(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := zonedata.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// instants returns random instants of 2026 and 2027, every fourth of them within a day of
// a change of the clocks in the zone.
func instant(r *rand.Rand, zone *time.Location) time.Time {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := start.Add(time.Duration(r.Int64N(int64(2 * 365 * 24 * time.Hour))))
	if _, change := at.In(zone).ZoneBounds(); !change.IsZero() && r.IntN(4) == 0 {
		at = change.Add(time.Duration(r.Int64N(int64(48*time.Hour))) - 24*time.Hour)
	}
	return at
}

func TestNoCallOutsideTheHours(t *testing.T) {
	t.Parallel()
	const triples = 1_000_000
	o, profiles, r := newOracle(t), Profiles(), rand.New(rand.NewPCG(1, 2))
	if len(o.profiles) != len(profiles) {
		t.Fatalf("%d profiles, and %d for the oracle", len(profiles), len(o.profiles))
	}
	zones := make([]*time.Location, len(places))
	for i, name := range places {
		zones[i] = load(t, name)
	}
	opened := 0
	for range triples {
		name, zone := profiles[r.IntN(len(profiles))], zones[r.IntN(len(zones))]
		rule, _ := Profile(name)
		at, margin := instant(r, zone), time.Duration(r.IntN(3)*5)*time.Minute
		s := Schedule{Rules: []*Rule{rule}, Zones: []*time.Location{zone}, Margin: margin, Holidays: func(_ *Rule, d Date) bool { return holidayOf(d) }}
		_, open := s.Open(at)
		if want := o.open(name, at, zone, margin, holidayOf(DateOf(at.In(zone)))); open != want {
			t.Fatalf("%s at %s, margin %s: open %t, the oracle says %t", name, at.In(zone), margin, open, want)
		}
		if open {
			opened++
		}
	}
	if opened < triples/10 || opened > triples/2 {
		t.Errorf("%d of %d are open: the instants prove little", opened, triples)
	}
}

// TestNextIsTheFirstOpenMinute looks at every minute from a random instant to the opening, with
// up to two profiles and three zones, all of which have to be open.
func TestNextIsTheFirstOpenMinute(t *testing.T) {
	t.Parallel()
	o, profiles, r := newOracle(t), Profiles(), rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 1500 {
		s := Schedule{Margin: time.Duration(r.IntN(3)*5) * time.Minute, Holidays: func(_ *Rule, d Date) bool { return holidayOf(d) }}
		var names []string
		for range 1 + r.IntN(2) {
			name := profiles[r.IntN(len(profiles))]
			rule, _ := Profile(name)
			names, s.Rules = append(names, name), append(s.Rules, rule)
		}
		for range 1 + r.IntN(3) {
			s.Zones = append(s.Zones, load(t, places[r.IntN(len(places))]))
		}
		at := instant(r, s.Zones[0])
		limit := at.Add(time.Duration(1+r.IntN(72)) * time.Hour)
		want, wantOK := o.next(names, s, at, limit)
		got, ok := s.Next(at, limit)
		if ok != wantOK || !got.Equal(want) {
			t.Fatalf("%v in %v at %s until %s, margin %s: %s %t, the oracle says %s %t", names, s.Zones, at, limit, s.Margin, got, ok, want, wantOK)
		}
		if ok {
			found++
		}
	}
	if found < 500 {
		t.Errorf("only %d openings", found)
	}
}

// next looks at every minute.
func (o oracle) next(profiles []string, s Schedule, at, limit time.Time) (time.Time, bool) {
	for ; at.Before(limit); at = at.Truncate(time.Minute).Add(time.Minute) {
		open := true
		for _, zone := range s.Zones {
			for _, profile := range profiles {
				open = open && o.open(profile, at, zone, s.Margin, holidayOf(DateOf(at.In(zone))))
			}
		}
		if open {
			return at, true
		}
	}
	return time.Time{}, false
}
