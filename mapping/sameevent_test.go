package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/mapping"
)

const sameEventConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    type: body:type
    lookup: {unless: phone, url: "https://crm.example.com/contacts/1", auth: {kind: bearer, token: "${SECRET}"}}
    fields:
      phone: {path: [phone, "lookup:phone"], type: phone, region: US}
      mobile: {path: mobile, type: phone, region: US}
      vip: {path: vip, type: bool, default: false}
policy: {countries: [US]}
routes:
%s`

// reasons are the decisions about an event, as "route outcome reason".
func reasons(decisions []mapping.Decision) string {
	var lines []string
	for _, d := range decisions {
		o := outcomeOf(d)
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Route, o.Outcome, o.Reason)))
	}
	return strings.Join(lines, ", ")
}

func TestOneEventRingsAPersonOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ routes, want string }{
		"the first wins": {
			`{name: a, mode: live, purpose: service, call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}; {name: c, mode: live, purpose: service, call: {call_to: phone}}`,
			"a requested, b skipped same_event, c skipped same_event"},
		"unless a route says also": {
			`{name: a, mode: live, purpose: service, call: {call_to: phone}}; {name: b, mode: live, purpose: service, also: true, call: {call_to: phone}}; {name: c, mode: live, purpose: service, call: {call_to: phone}}`,
			"a requested, b requested, c skipped same_event"},
		"also of the first says nothing about others": {
			`{name: a, mode: live, purpose: service, also: true, call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}`,
			"a requested, b skipped same_event"},
		"the number counts, not the field": {
			`{name: a, mode: live, purpose: service, call: {call_to: mobile}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}; {name: c, mode: live, purpose: service, call: {call_to: "+12025550142"}}`,
			"a requested, b skipped same_event, c skipped same_event"},
		"an extension is not dialled": {
			`{name: a, mode: live, purpose: service, allow_extension: true, call: {call_to: mobile}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}`,
			"a requested, b skipped same_event"},
		"another number is another person": {
			`{name: a, mode: live, purpose: service, call: {call_to: "+12025550199"}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}`,
			"a requested, b requested"},
		"a dry run makes no call": {
			`{name: a, call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}; {name: c, call: {call_to: phone}}`,
			"a skipped dry_run, b requested, c skipped same_event"},
		"dry runs show what live routes would do": {
			`{name: a, call: {call_to: phone}}; {name: b, call: {call_to: phone}}`,
			"a skipped dry_run, b skipped same_event"},
		"a refused call is none": {
			`{name: a, mode: live, purpose: service, policy: {countries: [CA]}, call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}`,
			"a rejected bad_phone, b requested"},
		"a number that is not allowed is not called": {
			`{name: a, mode: allow_list, allow: ["+12025550199"], call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}; {name: c, mode: allow_list, allow: ["+12025550142"], call: {call_to: phone}}`,
			"a skipped not_allowed, b requested, c skipped same_event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := parseWith(t, sameEvent(c.routes), longSecret)
			mobile := "(202) 555-0142"
			if strings.Contains(c.routes, "allow_extension") {
				mobile += " ext. 7"
			}
			in := read(t, config, "crm", "application/json", fmt.Sprintf(`{"id": 1, "phone": "+1 202-555-0142", "mobile": %q}`, mobile))[0]
			if got := reasons(config.Map(in)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// sameEvent writes routes of the source crm, which are divided by semicolons.
func sameEvent(routes string) string {
	var lines strings.Builder
	for route := range strings.SplitSeq(routes, "; ") {
		lines.WriteString("  - " + strings.Replace(route, "{", "{source: crm, ", 1) + "\n")
	}
	return fmt.Sprintf(sameEventConfig, lines.String())
}

func TestOneEventRingsAPersonOnceAfterItsLookup(t *testing.T) {
	t.Parallel()
	config := parseWith(t, sameEvent(`{name: a, mode: live, purpose: service, call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: mobile}}; {name: c, mode: live, purpose: service, call: {call_to: phone}}`), longSecret)
	in := read(t, config, "crm", "application/json", `{"id": 1, "mobile": "2025550142"}`)[0]
	items, err := config.Items(in)
	if err != nil || len(items) != 1 || items[0].Pending == nil {
		t.Fatalf("the event does not wait as a whole: %+v, %v", items, err)
	}
	resumed, err := mapping.Resume(*items[0].Pending)
	if err != nil {
		t.Fatal(err)
	}
	if resumed, err = resumed.WithLookup([]byte(`{"phone": "+12025550142"}`), "application/json"); err != nil {
		t.Fatal(err)
	}
	if got, want := reasons(config.Map(resumed)), "a requested, b skipped same_event, c skipped same_event"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSkippedCallOfTheSameEventNamesTheRouteThatCalls(t *testing.T) {
	t.Parallel()
	config := parseWith(t, sameEvent(`{name: a, mode: live, purpose: service, call: {call_to: phone}}; {name: b, mode: live, purpose: service, call: {call_to: phone}}`), longSecret)
	x := config.Explain(read(t, config, "crm", "application/json", `{"id": 1, "phone": "2025550142"}`)[0])
	d := x.Decisions[1]
	dry := parseWith(t, sameEvent(`{name: a, call: {call_to: phone}}; {name: b, call: {call_to: phone}}`), longSecret)
	preview := dry.Explain(read(t, dry, "crm", "application/json", `{"id": 1, "phone": "2025550142"}`)[0]).Decisions[1]
	if preview.Detail != `the route "a" would call +12•••••••42 for this event already` {
		t.Errorf("got %+v", preview)
	}
	if d.Reason != event.ReasonSameEvent || d.Detail != `the route "a" calls +12•••••••42 for this event already` || len(d.Call) == 0 {
		t.Errorf("got %+v", d)
	}
}

func TestRoutesThatMayCallTheSameNumberAreAWarning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second string
		warns         bool
	}{
		"the same field":        {`call: {call_to: phone}`, `call: {call_to: phone}`, true},
		"rules may both hold":   {`when: vip, call: {call_to: phone}`, `when: type == "a", call: {call_to: phone}`, true},
		"rules overlap":         {`when: 'type in ["a", "b"]', call: {call_to: phone}`, `when: type == "a", call: {call_to: phone}`, true},
		"one of several":        {`when: 'type == "a" || vip', call: {call_to: phone}`, `when: type == "b", call: {call_to: phone}`, true},
		"another field":         {`call: {call_to: mobile}`, `call: {call_to: phone}`, false},
		"the first stops":       {`stop: true, call: {call_to: phone}`, `call: {call_to: phone}`, false},
		"the second stops":      {`call: {call_to: phone}`, `stop: true, call: {call_to: phone}`, true},
		"the second says also":  {`call: {call_to: phone}`, `also: true, call: {call_to: phone}`, false},
		"the first is off":      {`enabled: false, call: {call_to: phone}`, `call: {call_to: phone}`, false},
		"types exclude":         {`when: type == "a", call: {call_to: phone}`, `when: 'vip && type in ["b", "c"]', call: {call_to: phone}`, false},
		"true and not":          {`when: vip, call: {call_to: phone}`, `when: "!vip", call: {call_to: phone}`, false},
		"a literal is no field": {`call: {call_to: "+12025550142"}`, `call: {call_to: "+12025550142"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := parseWith(t, sameEvent("{name: a, mode: live, purpose: service, "+c.first+"}; {name: b, mode: live, purpose: service, "+c.second+"}"), longSecret)
			got := mapping.Problems(config.Warnings()).Error()
			want := `routes[1]: an event that matches this route and "a" calls the number in "phone" once: "a" makes the call, and this route is skipped (same_event)`
			if strings.Contains(got, want) != c.warns || strings.Contains(got, "same_event") != c.warns {
				t.Errorf("got %s", got)
			}
		})
	}
}
