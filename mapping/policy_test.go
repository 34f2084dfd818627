package mapping_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/policy"
)

const policyConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    time: body:at
    person: {timezone: zone, country: country, region: state, postal_code: zip}
    fields:
      phone: {path: phone, type: phone}
      agreed: {path: agreed, type: bool, default: true}
      zone: {path: zone, optional: true}
      country: {path: country, type: country, optional: true}
      state: {path: state, optional: true}
      zip: {path: zip, optional: true}
routes:
  - name: offer
    source: crm
    mode: live
    purpose: marketing
    consent: agreed
    call: {call_to: phone, ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11}
%s
`

const usPolicy = "policy: {countries: [US, CA, DE, FR], hours: local-law, close_margin: 10m, expire: 24h}"

// TestPolicyMistakes: each is one sentence that says where it is and what to write.
func TestPolicyMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ policy, want string }{
		{"hours: buisness-hours", `:34: policy.hours: there is no profile "buisness-hours"; did you mean "business-hours"?`},
		{"hours: texas", `policy.hours: there is no profile "texas"; write any, au, business-hours, ca, de-code, es, fr, local-law, uk-practice, us-federal, us-strict, or your own hours such as {mon-fri: ["09:00-17:00"]}`},
		{`hours: "09:00-17:00"`, `policy.hours: "09:00-17:00" is no profile; hours of your own need their days: {mon-fri: ["09:00-17:00"]}`},
		{"hours: []", `policy.hours: names no hours, so nobody could ever be called; write local-law`},
		{"hours: [any, local-law]", `policy.hours: any allows every hour, so the other hours would not count; leave any out, or write hours: any alone`},
		{`hours: {mon: ["22:00-06:00"]}`, `policy.hours.mon: 22:00-06:00 goes over midnight: write two spans, 22:00-24:00 and, for the next day, 00:00-06:00`},
		{`hours: {mon: ["09:00-09:00"]}`, `policy.hours.mon: 09:00-09:00 is empty: it ends when it begins`},
		{`hours: {mon: ["09:00-12:00", "11:00-13:00"]}`, `policy.hours.mon: 09:00-12:00 and 11:00-13:00 overlap or touch: write them as one`},
		{`hours: {mon: [9am-5pm]}`, `policy.hours.mon: "9am" is no time of a day: write it as 09:00`},
		{`hours: {monday: ["09:00-17:00"]}`, `policy.hours: "monday" is no day: write mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri`},
		{`hours: {mon-fri: ["09:00-17:00"], fri: []}`, `policy.hours: fri is in "fri" and in "mon-fri": name each day once`},
		{"hours: {mon-sun: []}", "policy.hours: no day has a span, so nobody could ever be called"},
		{"hours: {}", "policy.hours: no day is named: write"},
		{"hours: local-law, close_margin: 90s", "policy.close_margin: must be whole minutes; for example 10m"},
		{"hours: local-law, close_margin: 0m", "policy.close_margin: must be a duration above 0 and up to 12h0m0s; for example 10m"},
		{`hours: {mon: ["09:00-12:00"]}, close_margin: 3h`, "policy.close_margin: close_margin 3h leaves no time of own hours in which a call could begin; shorten close_margin"},
		{"hours: local-law, expire: 3d", "policy.expire: must be a duration above 0; for example 24h; there is no unit for days"},
		{"hours: local-law, zone: {from: [timezones]}", `policy.zone.from[0]: "timezones" is not allowed here; did you mean "timezone"?`},
		{"hours: local-law, zone: {from: []}", "policy.zone.from: names nothing, so nobody could ever be called; write [timezone, address, number]"},
		{"hours: local-law, zone: {unknown: call}", `policy.zone.unknown: "call" is not allowed here; write hold`},
		{"hours: local-law, zone: {}", "policy.zone: is empty; write at least one of its keys, or leave it out"},
		{"hours: local-law, holidays: {missing: ignore}", `policy.holidays.missing: "ignore" is not allowed here; write hold`},
		{"hours: local-law, caps: {day: 0}", "policy.caps.day: must be a number above 0; write none for no limit"},
		{"hours: local-law, caps: {week: 3}", `policy.caps: unknown key "week"`},
		{"hours: local-law, caps: {day: 9, 30d: 8}", "policy.caps.day: caps.day 9 is more than caps.30d 8: it would never be reached; make caps.day smaller, or caps.30d larger"},
		{"hours: local-law, expire: 1h, caps: {gap: 2h}", "policy.caps.gap: caps.gap 2h is longer than expire 1h: a second event of a person could never lead to a call; shorten caps.gap, or lengthen expire"},
		{"hours: local-law, caps: {gap: 0s}", "policy.caps.gap: must be a duration above 0 and up to 720h0m0s; for example 1h"},
		{"hours: local-law, cool_down: {reach: 24h}", `policy.cool_down: unknown key "reach"; did you mean "reached"?`},
		{"hours: local-law, cool_down: {reached: 7d}", "policy.cool_down.reached: must be a duration above 0 and up to 9600h0m0s; for example 168h, which is a week; there is no unit for days"},
		{"hours: local-law, storm: {calls: 200}", `policy.storm: "within" is missing; write storm: {calls: 200, within: 10m}`},
		{"hours: local-law, storm: {calls: 0, within: 10m}", "policy.storm.calls: must be a number above 0; write storm: none for no limit"},
		{"close_margin: 10m", `callbridge.yaml:15:5: routes[0]: purpose marketing needs "policy" with hours; write hours: local-law for the law where the person is, or hours: any for calls at any hour, here or for all routes: policy: {hours: local-law}`},
	} {
		_, err := mapping.Parse("callbridge.yaml", fmt.Appendf(nil, policyConfig, "policy: {countries: [US], "+c.policy+"}"), withSecret())
		var problems mapping.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), c.want) || problems[0].Line == 0 || problems[0].Column == 0 {
			t.Errorf("%s: got\n%v\nwant one with\n%s", c.policy, err, c.want)
		}
	}
}

// TestPersonFieldsAreDeclared: a field of person: that the source does not have.
func TestPersonFieldsAreDeclared(t *testing.T) {
	t.Parallel()
	text := strings.Replace(fmt.Sprintf(policyConfig, usPolicy), "region: state", "region: stat", 1)
	_, err := mapping.Parse("callbridge.yaml", []byte(text), withSecret())
	if err == nil || !strings.Contains(err.Error(), `callbridge.yaml:6:56: sources.crm.person.region: undeclared name "stat"; did you mean "state"?`) {
		t.Errorf("got %v", err)
	}
}

// TestRouteOverridesKeyByKey: what a route does not say is what the file says.
func TestRouteOverridesKeyByKey(t *testing.T) {
	t.Parallel()
	text := strings.Replace(fmt.Sprintf(policyConfig, "policy: {countries: [US], hours: us-strict, expire: 24h, caps: {day: 3, 30d: 8, gap: 1h}, cool_down: {reached: 24h}, storm: {calls: 9, within: 1m}}"),
		"    consent: agreed", "    policy: {hours: [local-law], caps: {day: 1, gap: none}, cool_down: {busy: 1h}, storm: none}\n    consent: agreed", 1)
	config := parseWith(t, text, longSecret)
	r := config.Map(read(t, config, "crm", "application/json", `{"id": 1, "phone": "+12125550142", "at": "2026-11-25T17:00:00Z"}`)[0])[0].Request
	p, f := config.Policy(r)
	if !p.LocalLaw || len(p.Hours) != 0 || p.DayCap != 1 || p.MonthCap != 8 || p.Gap != 0 || p.CoolDown["reached"] != 24*time.Hour || p.CoolDown["busy"] != time.Hour ||
		p.Storm != (policy.Storm{}) || p.Purpose != policy.Marketing {
		t.Errorf("got %+v", p)
	}
	if want := r.Event.Received.Add(24 * time.Hour); !f.Expires.Equal(want) || f.Consent != policy.Yes || f.DoNotCall != policy.No || f.Request != r.ID.String() {
		t.Errorf("got %+v", f)
	}
	r.Route = ""
	if p, _ := config.Policy(r); p.DayCap != 3 || p.Gap != time.Hour || p.LocalLaw || len(p.Hours) != 1 || p.Purpose != policy.Service || p.Storm.Calls != 9 {
		t.Errorf("without a route: %+v", p)
	}
	if r.Route = "gone"; true {
		p, f := config.Policy(r)
		if v := policy.Decide(p, f, time.Now()); v.Action != policy.Skip {
			t.Errorf("a route that is gone: %+v", v)
		}
	}
}

// TestPolicyDecides: what the policy says of a webhook that comes in at a time. The person
// is called by the clock of every place where they may be.
func TestPolicyDecides(t *testing.T) {
	t.Parallel()
	config := parseWith(t, fmt.Sprintf(policyConfig, usPolicy), longSecret)
	for _, c := range []struct{ at, person, want string }{
		// Wednesday, noon in New York.
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142"`, "requested"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "zone": "America/New_York"`, "requested"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "zone": "us_slash_eastern"`, "requested"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "zone": "Eastern Time (US & Canada)"`, "requested"},
		// It is 07:00 in Honolulu, which opens at 08:00.
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "zone": "us_slash_hawaii"`, "deferred outside_hours 2026-11-25T18:00:00Z"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "country": "USA", "state": "Hawaii", "zip": "96813"`, "deferred outside_hours 2026-11-25T18:00:00Z"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "state": "HI"`, "deferred outside_hours 2026-11-25T18:00:00Z"},
		// The country alone does not make New York the whole of the United States.
		{"2026-11-25T13:30:00Z", `"phone": "+12125550142", "country": "United States"`, "requested"},
		{"2026-11-25T13:30:00Z", `"phone": "+493012345678", "country": "United States"`, "deferred outside_hours 2026-11-25T18:00:00Z"},
		// Closing is at 21:00, and the last call begins 10 minutes before.
		{"2026-11-26T01:49:00Z", `"phone": "+12125550142"`, "requested"},
		{"2026-11-26T01:50:00Z", `"phone": "+12125550142"`, "deferred outside_hours 2026-11-26T13:00:00Z"},
		// Saturday evening in Berlin: the next opening is on Monday, and the event expires.
		{"2026-11-28T18:00:00Z", `"phone": "+493012345678"`, "skipped outside_hours"},
		{"2026-11-27T20:00:00Z", `"phone": "+493012345678"`, "deferred outside_hours 2026-11-28T08:00:00Z"},
		// All Saints, in Bavaria and not in Berlin; 2027-11-01 is a Monday.
		{"2027-11-01T10:00:00Z", `"phone": "+498912345678", "country": "DE", "state": "Bayern"`, "deferred holiday 2027-11-02T07:00:00Z"},
		{"2027-11-01T10:00:00Z", `"phone": "+493012345678", "country": "DE", "state": "BE"`, "requested"},
		// What cannot be understood may be anywhere.
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "zone": "EST"`, "skipped no_zone"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "zone": "+05:00"`, "skipped no_zone"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "country": "US", "state": "Bavaria"`, "skipped no_zone"},
		{"2026-11-25T17:00:00Z", `"phone": "+12125550142", "country": "Atlantis"`, "skipped no_zone"},
		// The clock of a number that says one thing and an address that says another.
		{"2026-11-24T21:30:00Z", `"phone": "+12125550142", "country": "Germany"`, "deferred outside_hours 2026-11-25T13:00:00Z"},
	} {
		in := read(t, config, "crm", "application/json", fmt.Sprintf(`{"id": 1, "at": %q, %s}`, c.at, c.person))[0]
		in.Event.Received = in.Event.Time
		if got := decided(config.Map(in)[0]); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.person, c.at, got, c.want)
		}
	}
}

// decided is a decision in the words of the tests.
func decided(d mapping.Decision) string {
	switch {
	case d.Result != nil:
		return string(d.Result.Outcome) + " " + string(d.Result.Reason)
	case d.Verdict.Action == policy.Wait:
		return fmt.Sprintf("deferred %s %s", d.Verdict.Reason, d.Verdict.Until.UTC().Format(time.RFC3339))
	}
	return requested
}

// TestOldEventsExpire: the event's own time counts, and the webhook's for an event that is
// in the future.
func TestOldEventsExpire(t *testing.T) {
	t.Parallel()
	config := parseWith(t, fmt.Sprintf(policyConfig, "policy: {countries: [US], hours: any, expire: 15m}"), longSecret)
	for _, c := range []struct{ at, received, want string }{
		{`"at": "2026-11-25T17:00:00Z",`, "2026-11-25T17:14:59Z", "requested"},
		{`"at": "2026-11-25T17:00:00Z",`, "2026-11-25T17:15:00Z", "skipped expired"},
		{`"at": "2036-11-25T17:00:00Z",`, "2026-11-25T17:15:00Z", "requested"},
		{``, "2026-11-25T17:15:00Z", "requested"},
	} {
		in := read(t, config, "crm", "application/json", `{"id": 1, `+c.at+` "phone": "+12125550142"}`)[0]
		in.Event.Received, _ = time.Parse(time.RFC3339, c.received)
		d := config.Map(in)[0]
		if got := decided(d); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.at, c.received, got, c.want)
		}
		if d.Request == nil {
			continue
		}
		_, f := config.Policy(d.Request)
		if want := in.Event.Received.Add(15 * time.Minute); c.at == "" && !f.Expires.Equal(want) || f.Expires.After(want) {
			t.Errorf("%s: expires at %s", c.at, f.Expires)
		}
	}
}

// TestDryRunSaysWhatThePolicyWouldDo: a dry run and a number that is not on the list are
// judged as well.
func TestDryRunSaysWhatThePolicyWouldDo(t *testing.T) {
	t.Parallel()
	for mode, reason := range map[string]event.Reason{"dry_run": event.ReasonDryRun, "allow_list\n    allow: [\"+12025550100\"]": event.ReasonNotAllowed} {
		config := parseWith(t, strings.Replace(fmt.Sprintf(policyConfig, usPolicy), "mode: live", "mode: "+mode, 1), longSecret)
		in := read(t, config, "crm", "application/json", `{"id": 1, "at": "2026-11-26T03:00:00Z", "phone": "+12125550142"}`)[0]
		in.Event.Received = in.Event.Time
		r := config.Map(in)[0].Result
		if r == nil || r.Reason != reason || !strings.HasSuffix(r.Detail, "; the call would wait until 2026-11-26T13:00:00Z (outside_hours: closed in America/New_York at Wed 22:00 (-05:00), by us-federal)") {
			t.Errorf("%s: %+v", mode, r)
		}
	}
}

// TestRequestHasThePerson: what the CRM says of the place and of consent crosses the bus.
func TestRequestHasThePerson(t *testing.T) {
	t.Parallel()
	config := parseWith(t, fmt.Sprintf(policyConfig, usPolicy), longSecret)
	in := read(t, config, "crm", "application/json",
		`{"id": 1, "at": "2026-11-25T17:00:00Z", "phone": "+12125550142", "zone": "us_slash_eastern", "country": "USA", "state": "New York", "zip": "10001"}`)[0]
	in.Event.Received = in.Event.Time
	r := config.Map(in)[0].Request
	want := event.Person{Timezone: "us_slash_eastern", Country: "US", Region: "New York", PostalCode: "10001"}
	if r == nil || r.Person != want || r.Consent != "yes" {
		t.Fatalf("got %+v", r)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back event.Request
	if err := json.Unmarshal(text, &back); err != nil || back.Person != want {
		t.Errorf("%+v, %v", back, err)
	}
	items, err := config.Items(in)
	if err != nil || items[0].Verdict != (event.Verdict{Action: "go"}) {
		t.Errorf("%+v, %v", items, err)
	}
	in.Event.Received = in.Event.Received.Add(9 * time.Hour)
	if items, err = config.Items(in); err != nil || items[0].Request == nil || items[0].Verdict.Gate != "outside_hours" || items[0].Verdict.Until.UTC().Format(time.RFC3339) != "2026-11-26T13:00:00Z" {
		t.Errorf("%+v, %v", items[0].Verdict, err)
	}
}

// TestPolicyWarnings: what is allowed, and probably not meant.
func TestPolicyWarnings(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{
		"policy: {countries: [US, IN], hours: local-law, expire: 24h}":     `callbridge.yaml:21:38: policy.hours: local-law knows no hours for IN: people there are not called (no_zone); write another profile or your own hours for routes that call them`,
		"policy: {countries: [US], hours: local-law}":                      `callbridge.yaml:21:34: policy.hours: a call that waits for its hours may be made days after its event; write expire, for example 24h`,
		"policy: {countries: [US], hours: any}":                            ``,
		"policy: {countries: [US], hours: any, cool_down: {reached: 24h}}": `callbridge.yaml:21:60: policy.cool_down.reached: has an effect with FOLLOW=on only: else callbridge does not learn how calls end; use caps too, which count every call`,
		usPolicy: ``,
	} {
		if got := mapping.Problems(parseWith(t, fmt.Sprintf(policyConfig, policy), longSecret).Warnings()).Error(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", policy, got, want)
		}
	}
	service := strings.NewReplacer("    consent: agreed\n", "", "marketing", "service").Replace(fmt.Sprintf(policyConfig, "policy: {countries: [US]}"))
	want := `callbridge.yaml:15:5: routes[0]: calls go out at any hour, also at night; write policy: {hours: local-law}, here or for all routes, or hours: any if that is meant`
	if got := mapping.Problems(parseWith(t, service, longSecret).Warnings()).Error(); got != want {
		t.Errorf("got %s", got)
	}
}
