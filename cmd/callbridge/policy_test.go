package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/internal/testkit"
)

const showConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    time: body:at
    fields: {phone: {path: phone, type: phone}}
policy:
  countries: [US, DE]
  hours: local-law
  expire: 24h
routes:
  - {name: order, source: crm, mode: live, purpose: service, call: {call_to: phone}}
  - name: late
    source: crm
    mode: live
    purpose: service
    policy: {countries: [DE], hours: {mon-fri: ["18:00-20:00"]}, caps: {day: 1}}
    call: {call_to: phone}
`

// TestPolicyShow: each key with its value and where it is written, and what holds at a time.
func TestPolicyShow(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "callbridge.yaml", showConfig)
	code, out, errs := callbridge(t, "", "policy", "show", "-c", file, "--at", "2026-11-30T08:30:00+01:00")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{
		"zone data 20", "requests that name no route (service)", "route order (live, service)",
		"  hours              local-law                            file, callbridge.yaml:9",
		"  expire             24h                                  file, callbridge.yaml:10",
		"  close_margin       none                                 default",
		"  hours              own hours                            route, callbridge.yaml:17",
		"  caps.day           1                                    route, callbridge.yaml:17",
		"  at 2026-11-30 07:30 UTC in DE, if only the country is known: called, open in Europe/Berlin at Mon 08:30 (+01:00)",
		"  at 2026-11-30 07:30 UTC in DE, if only the country is known: waits until Mon 2026-11-30 18:00 (+01:00), closed in Europe/Berlin at Mon 08:30 (+01:00), by own hours",
		"  de-code          mon-fri 08:00-20:00; sat 09:00-18:00; sun closed; public holidays closed\n",
		"US-TX            mon-sat 09:00-21:00; sun 12:00-21:00; public holidays as on other days\n                   Texas Business and Commerce Code 301.051, SB 140 (statute), checked 2026-11-28\n",
		"  own hours        mon-fri 18:00-20:00; sat-sun closed; public holidays closed\n                   callbridge.yaml:17 (own)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	_, out, _ = callbridge(t, "", "policy", "show", "late", "-c", file, "--at", "2026-11-30T08:30:00+01:00", "-o", "json")
	var shown struct {
		Routes []struct {
			Route    string
			Settings []struct{ Key, Value, From, At string }
		}
		Hours []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || len(shown.Routes) != 1 || shown.Routes[0].Route != "late" || len(shown.Routes[0].Settings) < 10 ||
		len(shown.Hours) != 1 || shown.Hours[0].Name != "own hours" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPolicyShowSaysWhatIsWrong in one sentence.
func TestPolicyShowSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "callbridge.yaml", showConfig)
	for want, args := range map[string][]string{
		`there is no route "ordre" in ` + file + `: it has order, late`:     {"policy", "show", "ordre", "-c", file},
		`--at "monday" is no time: write it as 2026-11-30T08:00:00-05:00`:   {"policy", "show", "-c", file, "--at", "monday"},
		`-o yaml: it is text or json`:                                       {"policy", "show", "-c", file, "-o", "yaml"},
		`--at "tomorrow" is no time: write it as 2026-11-30T08:00:00-05:00`: {"map", "-c", file, "-s", "crm", "--at", "tomorrow", file},
		`begin with the example that the README names, or set CONFIG_FILE`:  {"policy", "show", "-c", "nowhere.yaml"},
	} {
		code, _, errs := callbridge(t, "", args...)
		if code != 1 || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}

// TestMapShowsGates: what the policy says about a webhook at a time.
func TestMapShowsGates(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "callbridge.yaml", showConfig)
	const body = `{"id": 1, "at": "2026-11-30T07:30:00Z", "phone": "+493012345678"}`
	for at, want := range map[string]string{
		"2026-11-30T07:35:00Z": "  order                requested  \n" +
			"      gate             says    value\n" +
			"      expired          allows  until 2026-12-01 07:30 UTC\n" +
			"      no_consent       allows  a service call needs none\n" +
			"      do_not_call      allows  the fields of the CRM do not forbid it\n" +
			"      outside_hours    allows  open in Europe/Berlin at Mon 08:35 (+01:00)\n" +
			"      the call may be made now; stops, the do-not-call list, caps and cool-downs are asked right before it\n",
		"2026-11-30T20:00:00Z": "  order                deferred outside_hours closed in Europe/Berlin at Mon 21:00 (+01:00), by de-code\n",
		"2026-12-01T08:00:00Z": "  order                skipped expired too late since 2026-12-01 07:30 UTC\n",
	} {
		code, out, errs := callbridge(t, body, "map", "-c", file, "-s", "crm", "--content-type", "application/json", "--at", at, "-")
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("at %s: exit code %d, %s\n%s", at, code, errs, out)
		}
		if at == "2026-11-30T20:00:00Z" && !strings.Contains(out, "      the call waits until Tue 2026-12-01 08:00 (+01:00)\n") {
			t.Errorf("at %s:\n%s", at, out)
		}
	}
	_, out, _ := callbridge(t, body, "map", "-c", file, "-s", "crm", "--content-type", "application/json", "--at", "2026-11-30T20:00:00Z", "-o", "json", "-")
	if !strings.Contains(out, `"until": "2026-12-01T08:00:00+01:00"`) || !strings.Contains(out, `"outcome": "deferred"`) {
		t.Errorf("json:\n%s", out)
	}
}

// TestGoldenCaseOfACallThatWaits: the case says until when, or a failing one shows the gates.
func TestGoldenCaseOfACallThatWaits(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, "callbridge.yaml", showConfig)
	const cases = `cases:
  - name: at night
    source: crm
    payload: {id: 1, at: "2026-11-30T20:00:00Z", phone: "+493012345678"}
    expect:
      - {route: order, outcome: deferred, reason: outside_hours, until: "2026-12-01T08:00:00+01:00"}
      - {route: late, outcome: %s}
  - {name: without a time, source: crm, payload: {id: 2, phone: "+12125550142"}, expect: [{route: order, outcome: requested}, {route: late, outcome: rejected, reason: bad_phone}]}
`
	for outcome, want := range map[string]string{
		"skipped":  "2 cases, 0 failed",
		"deferred": "      outside_hours    forbids closed in Europe/Berlin at Mon 21:00 (+01:00), by de-code\n      the call waits until Tue 2026-12-01 08:00 (+01:00)\n",
	} {
		golden := testkit.File(t, "callbridge.test.yaml", strings.Replace(cases, "%s", outcome, 1))
		_, out, errs := callbridge(t, "", "test", "-c", file, golden)
		if !strings.Contains(out, want) {
			t.Errorf("%s: %s\n%s", outcome, errs, out)
		}
	}
}

const reloadedConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["a key that is long enough"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}}
policy: {countries: [US], hours: %s, holidays: {observe: false}}
routes:
  - {name: order, source: crm, mode: live, purpose: service, call: {call_to: phone, ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11}}
`

// TestPolicyInForceJudgesRequests: a request of another service, published after the file
// has changed, waits for the hours that the file has now; by its person's clock.
func TestPolicyInForceJudgesRequests(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	write := func(hours string) {
		t.Helper()
		text := strings.Replace(fmt.Sprintf(reloadedConfig, hours), "a key that is long enough", "${file:"+testkit.File(t, "key", "a key that is long enough")+"}", 1)
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("any")
	b := startBridge(t, map[string]string{"CONFIG_FILE": file})
	publish := func(id uuid.UUID, number, person string) {
		t.Helper()
		body := fmt.Sprintf(`{"call":{"ai_agent_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","call_from":"+12025550100","call_to":%q}%s}`, number, person)
		if err := b.process.bus.Conn().Publish("callbridge.request.crm."+id.String()+".ready", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	first, second, third := uuid.New(), uuid.New(), uuid.New()
	publish(first, "+12125550142", "")
	if got := b.result(); got.RequestID != first || got.Outcome != event.Accepted {
		t.Errorf("at any hour: %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	day := strings.ToLower(time.Now().AddDate(0, 0, 3).Weekday().String()[:3])
	write("{" + day + `: ["00:00-24:00"]}`)
	testkit.Eventually(t, "the second generation counts", func() bool { return strings.Contains(b.admin("/readyz"), `"config_generation":2`) })
	publish(second, "+12125550143", `,"person":{"timezone":"us_slash_hawaii"}`)
	got := b.result()
	if got.RequestID != second || got.Outcome != event.Deferred || got.Reason != event.ReasonOutsideHours || !strings.Contains(got.Detail, "closed in US/Hawaii") {
		t.Errorf("outside of the hours: %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if wait := time.Until(got.Until); wait < 24*time.Hour || wait > 8*24*time.Hour {
		t.Errorf("until %s", got.Until)
	}
	publish(third, "+12125550144", `,"person":{"timezone":"EST"}`)
	if got := b.result(); got.RequestID != third || got.Outcome != event.Skipped || got.Reason != event.ReasonNoZone {
		t.Errorf("in an unknown zone: %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if n := len(b.sim.Placed()); n != 1 {
		t.Errorf("%d calls", n)
	}
}
