package policy

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"callbridge/policy/hours"
	"callbridge/zonedata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := zonedata.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func profile(t testing.TB, name string) *hours.Rule {
	t.Helper()
	rule, ok := hours.Profile(name)
	if !ok {
		t.Fatalf("no profile %s", name)
	}
	return rule
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// monday is Monday, 30 November 2026, at 12:00 in New York: -05:00.
const monday = "2026-11-30T17:00:00Z"

// callable are a policy and facts with which a call goes out on monday.
func callable(t testing.TB) (Policy, Facts) {
	p := Policy{
		Purpose: Marketing, Hours: []*hours.Rule{profile(t, "us-federal")}, LocalLaw: true, CloseMargin: 10 * time.Minute,
		DayCap: 3, MonthCap: 8, Gap: time.Hour, CoolDown: map[string]time.Duration{"reached": 168 * time.Hour, "declined": 1440 * time.Hour},
	}
	return p, Facts{
		Request: "this", Expires: at(t, monday).Add(24 * time.Hour), Consent: Yes, DoNotCall: No,
		Places: []Place{{zone(t, "America/New_York"), "US-NY"}},
	}
}

// calls are earlier calls, each given as its age.
func calls(t testing.TB, ages ...time.Duration) (all []Call) {
	for i, age := range ages {
		all = append(all, Call{Request: fmt.Sprint(i), At: at(t, monday).Add(-age), Class: "no_answer"})
	}
	return all
}

// TestGates reads like the rules: what is changed in a request that may be called on a
// Monday at noon in New York, and what is decided.
func TestGates(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		change func(p *Policy, f *Facts)
		want   string
	}{
		"nothing": {func(*Policy, *Facts) {}, "go"},
		"a stop with an end": {func(_ *Policy, f *Facts) {
			f.Stops = []Stop{{Scope: "everything", Until: at(t, "2026-11-30T18:00:00Z")}}
		}, "wait stopped 2026-11-30T18:00:00Z"},
		"a stop that has ended":    {func(_ *Policy, f *Facts) { f.Stops = []Stop{{Scope: "everything", Until: at(t, monday)}} }, "go"},
		"a stop without an end":    {func(_ *Policy, f *Facts) { f.Stops = []Stop{{Scope: "source crm"}} }, "wait stopped"},
		"a stop, and it is late":   {func(_ *Policy, f *Facts) { f.Stops, f.Expires = []Stop{{Scope: "source crm"}}, at(t, monday) }, "skip stopped"},
		"two stops, one without":   {func(_ *Policy, f *Facts) { f.Stops = []Stop{{Until: at(t, "2026-11-30T18:00:00Z")}, {}} }, "wait stopped"},
		"a stop over the night":    {func(_ *Policy, f *Facts) { f.Stops = []Stop{{Until: at(t, "2026-12-01T03:00:00Z")}} }, "wait stopped 2026-12-01T13:00:00Z"},
		"a stop until it is late":  {func(_ *Policy, f *Facts) { f.Stops = []Stop{{Until: at(t, "2026-12-03T03:00:00Z")}} }, "skip stopped"},
		"a route that is off":      {func(_ *Policy, f *Facts) { f.RouteOff = "the route is off" }, "skip route_off"},
		"too late":                 {func(_ *Policy, f *Facts) { f.Expires = at(t, monday) }, "skip expired"},
		"not too late yet":         {func(_ *Policy, f *Facts) { f.Expires = at(t, monday).Add(1) }, "go"},
		"a toll number":            {func(_ *Policy, f *Facts) { f.BadNumber = "a toll number" }, "reject bad_number"},
		"no consent":               {func(_ *Policy, f *Facts) { f.Consent = No }, "skip no_consent"},
		"consent that is odd":      {func(_ *Policy, f *Facts) { f.Consent = Unreadable }, "skip no_consent"},
		"no consent for a service": {func(p *Policy, f *Facts) { p.Purpose, f.Consent = Service, No }, "go"},
		"an unknown purpose":       {func(p *Policy, f *Facts) { p.Purpose, f.Consent = "", No }, "skip no_consent"},
		"the CRM forbids it":       {func(_ *Policy, f *Facts) { f.DoNotCall = Yes }, "skip do_not_call"},
		"the CRM is odd":           {func(_ *Policy, f *Facts) { f.DoNotCall = Unreadable }, "skip do_not_call"},
		"on the list":              {func(_ *Policy, f *Facts) { f.Suppressed = []Suppression{{}} }, "skip do_not_call"},
		"on the list for a while":  {func(_ *Policy, f *Facts) { f.Suppressed = []Suppression{{Until: at(t, monday).Add(1)}} }, "skip do_not_call"},
		"on the list until now":    {func(_ *Policy, f *Facts) { f.Suppressed = []Suppression{{Until: at(t, monday)}} }, "go"},
		"on the phone":             {func(p *Policy, f *Facts) { p.Gap = 0; f.Calls = []Call{{At: at(t, monday).Add(-day), Open: true}} }, "wait on_call 2026-11-30T17:05:00Z"},
		"its own call is open":     {func(_ *Policy, f *Facts) { f.Calls = []Call{{Request: "this", At: at(t, monday), Open: true}} }, "go"},
		"reached yesterday":        {func(_ *Policy, f *Facts) { f.Calls = []Call{{At: at(t, monday).Add(-day), Class: "reached"}} }, "skip cooling_down"},
		"reached, and time is left": {func(_ *Policy, f *Facts) {
			f.Calls, f.Expires = []Call{{At: at(t, monday).Add(-day), Class: "reached"}}, time.Time{}
		}, "wait cooling_down 2026-12-06T17:00:00Z"},
		"a call later than now": {func(p *Policy, f *Facts) {
			p.Gap, f.Calls = 0, []Call{{At: at(t, monday).Add(time.Second), Class: "no_answer"}}
		}, "go"},
		"reached eight days ago":   {func(_ *Policy, f *Facts) { f.Calls = []Call{{At: at(t, monday).Add(-8 * day), Class: "reached"}} }, "go"},
		"a minute ago":             {func(_ *Policy, f *Facts) { f.Calls = calls(t, time.Minute) }, "wait capped 2026-11-30T17:59:00Z"},
		"an hour ago":              {func(_ *Policy, f *Facts) { f.Calls = calls(t, time.Hour) }, "go"},
		"three times today":        {func(_ *Policy, f *Facts) { f.Calls = calls(t, 2*time.Hour, 3*time.Hour, 4*time.Hour) }, "wait capped 2026-12-01T13:00:00Z"},
		"twice today, once before": {func(_ *Policy, f *Facts) { f.Calls = calls(t, 2*time.Hour, 3*time.Hour, 13*time.Hour) }, "go"},
		"eight times in 30 days": {func(_ *Policy, f *Facts) {
			f.Calls = calls(t, 2*day, 3*day, 4*day, 5*day, 6*day, 7*day, 8*day, 29*day+time.Hour)
		}, "wait capped 2026-12-01T16:00:00Z"},
		"eight, and it expires":   {func(_ *Policy, f *Facts) { f.Calls = calls(t, 2*day, 3*day, 4*day, 5*day, 6*day, 7*day, 8*day, 28*day) }, "skip capped"},
		"eight in 31 days":        {func(_ *Policy, f *Facts) { f.Calls = calls(t, 2*day, 3*day, 4*day, 5*day, 6*day, 7*day, 8*day, 30*day) }, "go"},
		"nobody knows where":      {func(_ *Policy, f *Facts) { f.Places = nil }, "skip no_zone"},
		"a country without hours": {func(_ *Policy, f *Facts) { f.Places[0].Region = "IN" }, "skip no_zone"},
		"also in Los Angeles": {func(_ *Policy, f *Facts) {
			f.Places = append(f.Places, Place{zone(t, "America/Los_Angeles"), "US-CA"})
		}, "go"},
		"also in Honolulu": {func(_ *Policy, f *Facts) {
			f.Places = append(f.Places, Place{zone(t, "Pacific/Honolulu"), "US-HI"})
		}, "wait outside_hours 2026-11-30T18:00:00Z"},
		"hours that are old": {func(p *Policy, _ *Facts) {
			old := *p.Hours[0]
			old.Checked = at(t, "2025-10-01T00:00:00Z")
			p.Hours[0] = &old
		}, "skip policy_data_old"},
		"old hours of a service": {func(p *Policy, _ *Facts) {
			p.Purpose = Service
			old := *p.Hours[0]
			old.Checked = at(t, "2025-10-01T00:00:00Z")
			p.Hours[0] = &old
		}, "go"},
		"no hours at all":              {func(p *Policy, _ *Facts) { p.Hours, p.LocalLaw = nil, false }, "skip outside_hours"},
		"at any time, anywhere":        {func(p *Policy, f *Facts) { p.Hours, p.LocalLaw, p.AnyTime, f.Places = nil, false, true, nil }, "go"},
		"not read until it is late":    {func(_ *Policy, f *Facts) { f.Unread, f.Expires = "the memory of people", at(t, monday) }, "skip expired"},
		"what could not be read":       {func(_ *Policy, f *Facts) { f.Unread = "the memory of people" }, "wait unread 2026-11-30T17:05:00Z"},
		"not read, and also forbidden": {func(_ *Policy, f *Facts) { f.Unread, f.DoNotCall = "the memory of people", Yes }, "wait unread 2026-11-30T17:05:00Z"},
	} {
		p, f := callable(t)
		c.change(&p, &f)
		if got := short(Decide(p, f, at(t, monday))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func short(v Verdict) string {
	text := string(v.Action)
	if v.Reason != "" {
		text += " " + string(v.Reason)
	}
	if !v.Until.IsZero() {
		text += " " + v.Until.UTC().Format(time.RFC3339)
	}
	return text
}

// TestHoursOfAPlace: a call to a state, at an instant, and what is decided.
func TestHoursOfAPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, region, at, want string }{
		{"America/New_York", "US-NY", "2026-11-30T08:00:00-05:00", "go"},
		{"America/New_York", "US-NY", "2026-11-30T07:59:00-05:00", "wait outside_hours 2026-11-30T13:00:00Z"},
		{"America/New_York", "US-NY", "2026-11-30T20:49:00-05:00", "go"},
		{"America/New_York", "US-NY", "2026-11-30T20:50:00-05:00", "wait outside_hours 2026-12-01T13:00:00Z"},
		{"America/New_York", "US-FL", "2026-11-30T19:50:00-05:00", "wait outside_hours 2026-12-01T13:00:00Z"},
		{"America/Chicago", "US-TX", "2026-11-29T11:59:00-06:00", "wait outside_hours 2026-11-29T18:00:00Z"},
		{"America/Chicago", "US-LA", "2026-11-29T12:00:00-06:00", "skip outside_hours"},                     // a Sunday; Monday at 8 is 20 hours later
		{"America/Chicago", "US-LA", "2026-11-26T12:00:00-06:00", "skip holiday"},                           // Thanksgiving, and the next day is Acadian Day
		{"America/Denver", "US-UT", "2026-11-29T16:00:00-07:00", "wait outside_hours 2026-11-30T15:00:00Z"}, // a Sunday
		{"America/New_York", "US-NY", "2026-11-26T12:00:00-05:00", "go"},                                    // the federal rule knows no holidays
		{"America/New_York", "US-NY", "2028-01-03T12:00:00-05:00", "skip policy_data_old"},
	} {
		p, f := callable(t)
		now := at(t, c.at)
		f.Places, f.Expires = []Place{{zone(t, c.zone), c.region}}, now.Add(18*time.Hour)
		if got := short(Decide(p, f, now)); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.region, c.at, got, c.want)
		}
	}
}

// TestVerdictNamesEveryGate: an answer to "why" needs them all, also behind the one that
// decided.
func TestVerdictNamesEveryGate(t *testing.T) {
	t.Parallel()
	p, f := callable(t)
	f.RouteOff, f.DoNotCall = "the route is off", Yes
	v := Decide(p, f, at(t, monday))
	if len(v.Gates) != len(gates) || v.Reason != RouteOff || v.Detail != "the route is off" {
		t.Fatalf("%+v", v)
	}
	for _, g := range v.Gates {
		if g.Gate == "" || g.Value == "" || g.Passes == (g.Gate == RouteOff || g.Gate == DoNotCall) {
			t.Errorf("%+v", g)
		}
	}
}

// TestWaitEndsAtTheFirstInstant: with random facts, no instant before Until lets a call
// pass, and Until does; a request that is skipped for its time never passes before it
// expires.
func TestWaitEndsAtTheFirstInstant(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	places := []Place{{zone(t, "America/New_York"), "US-NY"}, {zone(t, "America/Chicago"), "US-LA"}, {zone(t, "America/Vancouver"), "CA-BC"}, {zone(t, "Europe/Berlin"), "DE-BE"}}
	count := map[Action]int{}
	for range 150 {
		p, f := callable(t)
		p.Hours = nil
		now := at(t, "2026-10-20T00:00:00Z").Add(time.Duration(r.IntN(60*24*60)) * time.Minute)
		f.Expires = now.Add(time.Duration(1+r.IntN(60)) * time.Hour)
		f.Places = []Place{places[r.IntN(len(places))], places[r.IntN(len(places))]}
		for i := range r.IntN(9) {
			class := []string{"", "no_answer", "reached"}[r.IntN(3)]
			if class == "reached" && r.IntN(4) > 0 {
				class = "busy"
			}
			f.Calls = append(f.Calls, Call{Request: fmt.Sprint(i), At: now.Add(-time.Duration(r.IntN(40*24*60)) * time.Minute), Class: class})
		}
		v := Decide(p, f, now)
		count[v.Action]++
		if v.Action == Skip && v.Reason != Expired {
			v.Until = f.Expires
		}
		for minute := now; minute.Before(v.Until); minute = minute.Add(5 * time.Minute) {
			if got := Decide(p, f, minute); got.Action == Go {
				t.Fatalf("%s at %s, but %s passes; facts %+v", short(v), now, minute, f)
			}
		}
		if v.Action == Wait && Decide(p, f, v.Until).Action != Go {
			t.Fatalf("%s at %s, and then %s", short(v), now, short(Decide(p, f, v.Until)))
		}
	}
	if count[Go] < 20 || count[Wait] < 20 || count[Skip] < 20 {
		t.Errorf("%v: the facts prove little", count)
	}
}

// BenchmarkDecide is what all gates of one call cost, without the reads.
func BenchmarkDecide(b *testing.B) {
	p, f := callable(b)
	now := at(b, monday)
	for name, change := range map[string]func(*Policy, *Facts){
		"any hour": func(p *Policy, _ *Facts) { p.AnyTime = true },
		"hours":    func(*Policy, *Facts) {},
		"hours, and 7 earlier calls": func(_ *Policy, f *Facts) {
			f.Calls = calls(b, 24*time.Hour, 48*time.Hour, 72*time.Hour, 96*time.Hour, 120*time.Hour, 144*time.Hour, 168*time.Hour)
		},
	} {
		b.Run(name, func(b *testing.B) {
			p, f := p, f
			change(&p, &f)
			for b.Loop() {
				if v := Decide(p, f, now); v.Action != Go {
					b.Fatal(v.Reason, v.Detail)
				}
			}
		})
	}
}
