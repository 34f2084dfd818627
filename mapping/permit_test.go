package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"callbridge/event"
)

const permitsConfig = `policy: {countries: [US]}
sources:
  crm: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}}
  other: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}}
routes:
  - {name: live, source: crm, mode: live, purpose: service, call: {call_to: phone}}
  - {name: british, source: crm, mode: live, purpose: service, policy: {countries: [GB]}, call: {call_to: phone}}
  - {name: dry, source: crm, call: {call_to: phone}}
  - {name: off, source: crm, mode: live, purpose: service, enabled: false, call: {call_to: phone}}
  - {name: listed, source: crm, mode: allow_list, allow: ["+12025550142"], call: {call_to: phone}}
`

// publishedCall is a request as another service publishes it.
func publishedCall(source, route, call string) *event.Request {
	return &event.Request{Route: route, Call: json.RawMessage(call), Event: event.Event{Source: source}}
}

func TestPermitsJudgesRequestsOfOthers(t *testing.T) {
	t.Parallel()
	const us, gb = `{"call_to":"+12025550142"}`, `{"call_to":"+442079460123"}`
	config := parse(t, permitsConfig)
	for _, c := range []struct{ source, route, call, want string }{
		{"crm", "", us, ""},
		{"crm", "live", us, ""},
		{"crm", "british", gb, ""},
		{"crm", "listed", us, ""},
		{"unknown", "", us, ""},
		{"crm", "", gb, "rejected bad_number region_not_allowed: +44••••••••23: the number is in GB"},
		{"crm", "live", gb, "rejected bad_number region_not_allowed: +44••••••••23: the number is in GB"},
		{"crm", "british", us, "rejected bad_number region_not_allowed: +12•••••••42: the number is in US"},
		{"crm", "gone", us, "skipped route_off the configuration has no such route for this source"},
		{"other", "live", us, "skipped route_off the configuration has no such route for this source"},
		{"crm", "dry", us, "skipped route_off the route dry is in dry_run"},
		{"crm", "off", us, "skipped route_off the route off is switched off"},
		{"crm", "listed", `{"call_to":"+12025550143"}`, "skipped route_off the number +12•••••••43 is not on the list of the route listed"},
		{"crm", "live", `{"call_to":"+19005550142"}`, "rejected bad_number premium_rate: +19•••••••42: numbers of this kind are not called"},
		{"crm", "", `{"call_to":"+12129762345"}`, "rejected bad_number premium_rate: +12•••••••45: numbers of this kind are not called"},
		{"crm", "", `{"call_to":"+61147123456"}`, "rejected bad_number satellite: +61•••••••56: numbers of this kind are not called"},
		{"crm", "", `{"call_to":"+12025550142 ext 7"}`, "rejected bad_number call.call_to is not an E.164 number"},
		{"crm", "", `{"call_to":"+1202555014"}`, "rejected bad_number invalid_number: +12••••••14: no number of any country"},
		{"crm", "", `{"call_to":"+4402079460123"}`, "rejected bad_number region_not_allowed: +44••••••••23: the number is in GB"},
		{"crm", "british", `{"call_to":"+4402079460123"}`, "rejected bad_number call.call_to is not written in E.164"},
		{"crm", "", `{}`, "rejected bad_number call.call_to is not an E.164 number"},
		{"crm", "", `{"call_to":"+12025550142","Call_To":"+442079460123"}`, "rejected bad_request call is not a create-call body"},
		{"crm", "", `{"CALL_TO":"+442079460123"}`, "rejected bad_number region_not_allowed: +44••••••••23: the number is in GB"},
		{"crm", "", `["+12025550142"]`, "rejected bad_request call is not a create-call body"},
		{"crm", "", ``, "rejected bad_request call is not a create-call body"},
	} {
		outcome, reason, detail := config.Permits(publishedCall(c.source, c.route, c.call))
		if got := strings.TrimSpace(fmt.Sprintf("%s %s %s", outcome, reason, detail)); got != c.want {
			t.Errorf("%s, route %q of %s:\ngot  %s\nwant %s", c.call, c.route, c.source, got, c.want)
		}
	}
}

func TestPermitsNeedsCountriesForRequestsWithoutARoute(t *testing.T) {
	t.Parallel()
	config := parse(t, strings.TrimPrefix(permitsConfig[:strings.Index(permitsConfig, "routes:")], "policy: {countries: [US]}\n"))
	outcome, reason, detail := config.Permits(publishedCall("crm", "", `{"call_to":"+12025550142"}`))
	if outcome != event.Rejected || reason != event.ReasonBadNumber || !strings.Contains(detail, "policy: {countries: [US, CA]}") {
		t.Errorf("got %s %s %s", outcome, reason, detail)
	}
}

func TestPermitsBoundsWhatACallCarries(t *testing.T) {
	t.Parallel()
	config := parse(t, permitsConfig)
	many := make([]string, 41)
	for i := range many {
		many[i] = fmt.Sprintf(`"v%d":"x"`, i)
	}
	for name, c := range map[string]struct{ members, want string }{
		"variables":    {`"agent_dynamic_variables":{` + strings.Join(many, ",") + `}`, "41 variables; at most 40 are allowed"},
		"a variable":   {`"agent_dynamic_variables":{"a":"` + strings.Repeat("é", 501) + `"}`, "the variable a has more than 500 characters"},
		"a name":       {`"agent_dynamic_variables":{"a b":"x"}`, "the name of a variable is not letters, digits and _"},
		"notes":        {`"notes":"` + strings.Repeat("é", 2101) + `"`, "notes have more than 2000 characters"},
		"metadata":     {`"metadata":{"a":"` + strings.Repeat("x", 17<<10) + `"}`, "metadata has more than 16384 bytes"},
		"at the limit": {`"notes":"` + strings.Repeat("é", 2000) + `","agent_dynamic_variables":{"a":"` + strings.Repeat("é", 500) + `"}`, ""},
	} {
		_, reason, detail := config.Permits(publishedCall("crm", "live", `{"call_to":"+12025550142",`+c.members+`}`))
		if detail != c.want || (reason != "") != (c.want != "") {
			t.Errorf("%s: got %s %s, want %s", name, reason, detail, c.want)
		}
	}
}

func BenchmarkPermits(b *testing.B) {
	config := parse(b, permitsConfig)
	r := publishedCall("crm", "live", `{"call_to":"+12025550142","agent_dynamic_variables":{"first_name":"Ada"},"notes":"callbridge 1","metadata":{"lead":"1"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if outcome, _, _ := config.Permits(r); outcome != "" {
			b.Fatal(outcome)
		}
	}
}
