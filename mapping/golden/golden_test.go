package golden_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/mapping"
	"callbridge/mapping/golden"
)

// config has a rule about age, so that the result depends on when a webhook is received.
const config = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [header:X-Event-Id, body:id]
    time: body:at
    fields:
      phone: {path: phone, type: phone}
      name: {path: name, optional: true}
      score: {path: score, type: number, optional: true}
  asking:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [body:id]
    lookup:
      - url: "https://api.example.com/contacts/{{contact}}"
        auth: {kind: bearer, token: "${TOKEN}"}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:phone", type: phone}
routes:
  - name: fresh
    source: crm
    mode: live
    purpose: service
    policy: {countries: [US]}
    when: hours_since(time) < 24
    call:
      call_to: phone
      agent_dynamic_variables: {name: "{{name|there}}"}
      metadata: {key: "{{key}}", at: "{{time}}", score: "{{score}}"}
  - name: asked
    source: asking
    mode: live
    purpose: service
    policy: {countries: [US]}
    call: {call_to: phone}
`

const payload = `{"id": 9007199254740993, "at": "2026-11-23T09:30:00Z", "phone": "+12025550142", "name": "Ada", "score": "72.50"}`

// parse writes cases beside their payload, and parses them.
func parse(t *testing.T, cases string) (*golden.Suite, string, error) {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "callbridge.test.yaml")
	for name, text := range map[string]string{file: cases, filepath.Join(folder, "payload.json"): payload} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := mapping.Parse("callbridge.yaml", []byte(config), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := golden.Parse(file, []byte(cases), c)
	return s, file, err
}

func run(t *testing.T, cases string, update bool) ([]golden.Verdict, string) {
	t.Helper()
	s, file, err := parse(t, cases)
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := s.Run(update)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts, file
}

const passing = `cases:
  - name: comes in when the CRM says it happened
    source: crm
    payload: payload.json
    expect:
      - {route: fresh, outcome: requested}
  - name: comes in a day later
    source: crm
    payload: payload.json
    received: 2026-11-24T09:30:00Z
    expect:
      - {outcome: skipped, reason: no_route}
  - name: YAML as the body, a header as the key
    source: crm
    headers: {X-Event-Id: evt-7}
    payload: {at: 2026-11-23, phone: +12025550142}
    expect:
      - route: fresh
        outcome: requested
        call:
          call_to: +12025550142
          call_direction: outbound
          agent_dynamic_variables: {name: there}
          metadata: {at: "2026-11-23T00:00:00Z", key: evt-7, callbridge_request_id: whatever it is}
          notes: callbridge 123
  - name: a form
    source: crm
    content_type: application/x-www-form-urlencoded
    payload: |
      id=7&at=2026-11-23T09:30:00Z&phone=nobody
    expect:
      - {route: fresh, outcome: rejected, reason: bad_phone, field: phone}
  - name: the CRM's answer to a lookup
    source: asking
    payload: {id: e-1, contact: c-1}
    lookup: {phone: "+12025550142"}
    expect: [{route: asked, outcome: requested}]
`

func TestCasesOfEveryFormPass(t *testing.T) {
	t.Parallel()
	verdicts, _ := run(t, passing, false)
	for _, v := range verdicts {
		if !v.OK {
			t.Errorf("%+v", v)
		}
	}
	if len(verdicts) != 5 {
		t.Errorf("%d verdicts", len(verdicts))
	}
}

func TestEachDifferenceIsReported(t *testing.T) {
	t.Parallel()
	verdicts, file := run(t, `cases:
  - name: everything is different
    source: crm
    payload: payload.json
    expect:
      - route: fresh
        outcome: requested
        call:
          call_from: "+12025550100"
          call_to: "+12025550143"
          call_direction: outbound
          agent_dynamic_variables: {name: Ada}
          metadata: {key: 9007199254740992, score: 72.5}
      - {route: stale, outcome: skipped, reason: dry_run}
`, false)
	if v := verdicts[0]; v.OK || v.Line != 2 || v.Case != "everything is different" || v.File != file {
		t.Errorf("verdict %+v", v)
	}
	orNothing := func(value json.RawMessage) string {
		if value == nil {
			return "nothing"
		}
		return string(value)
	}
	var got []string
	for _, d := range verdicts[0].Differences {
		got = append(got, d.Path+" "+orNothing(d.Want)+" "+orNothing(d.Got))
	}
	want := []string{
		`expect[0].call.call_from "+12025550100" nothing`,
		`expect[0].call.call_to "+12025550143" "+12025550142"`,
		`expect[0].call.metadata.at nothing "2026-11-23T09:30:00Z"`,
		`expect[0].call.metadata.key 9007199254740992 "9007199254740993"`,
		`expect[0].call.metadata.score 72.5 72.50`,
		`expect[1] {"outcome":"skipped","reason":"dry_run","route":"stale"} nothing`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("differences\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCaseWithoutAnythingToCompareFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ keys, want string }{
		"no expect":        {"source: crm, payload: payload.json", "--update"},
		"unreadable body":  {"source: crm, payload: payload.json, content_type: text/xml, expect: []", "the webhook cannot be read"},
		"unsupported body": {"source: crm, payload: payload.json, content_type: image/png, expect: []", "the webhook cannot be read"},
		"no answer":        {"source: asking, payload: {id: e-1, contact: c-1}, expect: []", "give its answer in lookup:"},
	} {
		verdicts, _ := run(t, "cases:\n  - {name: a, "+c.keys+"}\n", false)
		if v := verdicts[0]; v.OK || !strings.Contains(v.Problem, c.want) {
			t.Errorf("%s: %+v, want %q", name, v, c.want)
		}
	}
	verdicts, _ := run(t, "cases:\n  - {name: a, source: crm, payload: payload.json, expect: []}\n", false)
	if v := verdicts[0]; v.OK || len(v.Differences) != 1 || !strings.HasPrefix(string(v.Differences[0].Got), `{"call":`) {
		t.Errorf("empty expect: %+v", v)
	}
}

func TestMistakesInAFileHaveTheirPosition(t *testing.T) {
	t.Parallel()
	const start = "cases:\n  - name: a\n    source: crm\n    payload: {id: 1}\n"
	for name, c := range map[string]struct{ cases, want string }{
		"empty":                  {"", ": the file is empty; it needs cases:"},
		"only comments":          {"# nothing yet\n", ": the file contains only comments; it needs cases:"},
		"no YAML":                {"cases: [\n", ":2:1: not YAML"},
		"no cases":               {"tests: []\n", `:1:1: unknown key "tests"`},
		"cases is no list":       {"cases: x\n", ":1:8: cases: found a single value where a list of cases belongs"},
		"unknown key":            {start + "    expected: []\n", `:5:5: cases[0]: unknown key "expected"; did you mean "expect"?`},
		"key twice":              {start + "    name: b\n", `:5:5: cases[0]: the key "name" is repeated`},
		"name twice":             {start + strings.TrimPrefix(start, "cases:\n"), `:5:5: cases[1]: there is a case "a" already`},
		"no payload":             {"cases:\n  - {name: a, source: crm}\n", `:2:5: cases[0]: "payload" is missing`},
		"no such payload":        {"cases:\n  - {name: a, source: crm, payload: nowhere.json}\n", ":2:37: cases[0].payload: read payload"},
		"alias":                  {"cases:\n  - {name: a, source: crm, payload: {a: &x 1, b: *x}}\n", "cases[0].payload.b: YAML aliases"},
		"unknown source":         {"cases:\n  - {name: a, source: cmr, payload: {id: 1}}\n", `:2:23: cases[0].source: no source "cmr"; there are asking, crm`},
		"empty source":           {"cases:\n  - {name: a, source: \"\", payload: {id: 1}}\n", `:2:23: cases[0].source: no source ""`},
		"key twice in a payload": {"cases:\n  - {name: a, source: crm, payload: {b: [{c: 1, c: 2}]}}\n", `cases[0].payload.b[0]: the key "c" is repeated`},
		"two documents":          {start + "---\n" + start, ":5:1: more than one YAML document"},
		"case is a text":         {"cases: [a, b]\n", ":1:9: cases[0]: found a single value where a mapping"},
		"bad time":               {start + "    received: yesterday\n", ":5:15: cases[0].received: not an RFC 3339 time; for example 2026"},
		"bad outcome":            {start + "    expect:\n      - {outcome: called}\n", `:6:19: cases[0].expect[0].outcome: "called" is not allowed here; write requested`},
		"no outcome":             {start + "    expect:\n      - {route: fresh}\n", `:6:9: cases[0].expect[0]: "outcome" is missing`},
		"bad reason":             {start + "    expect:\n      - {outcome: skipped, reason: bad_phone}\n", `"bad_phone" is not allowed here; write no_route`},
		"reason of a request":    {start + "    expect:\n      - {outcome: requested, reason: dry_run}\n", "has no reason"},
		"call is no mapping":     {start + "    expect:\n      - {outcome: requested, call: phone}\n", "call: found a single value where a mapping (key: value) belongs"},
	} {
		_, file, err := parse(t, c.cases)
		if err == nil || !strings.Contains(err.Error(), file+":") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

const beforeUpdate = `# About these cases.

cases:
  - name: nothing expected yet # at the side
    source: crm
    payload: |
      {"id": 1, "phone": "+12025550142",
       "name": "12"}
      # no comment, but part of the body: so this is no JSON
    content_type: application/x-www-form-urlencoded
  # About the next one.
  - name: a wrong expectation
    source: crm
    expect: # as of today
      # the only one
      - route: fresh
        outcome: skipped # for now
        call:
          # the lead
          call_to: '+12025550142'
          notes: gone
    payload: payload.json
  - name: a right one
    source: crm
    headers: {X-Event-Id: 01234}
    payload: payload.json
    expect: [{route: fresh, outcome: requested}]
  - {name: the last one, source: crm, payload: {id: 7, at: 2026-11-24, phone: +12025550142}}
# The end.
`

// afterUpdate is beforeUpdate with new expectations and the same comments.
var afterUpdate = strings.NewReplacer(
	"x-www-form-urlencoded\n", `x-www-form-urlencoded
    expect:
      - outcome: rejected
        reason: bad_event
`,
	"outcome: skipped # for now", "outcome: requested # for now",
	"          notes: gone\n", `          call_direction: outbound
          metadata:
            at: "2026-11-23T09:30:00Z"
            key: "9007199254740993"
            score: 72.50
          agent_dynamic_variables:
            name: Ada
`,
	"phone: +12025550142}}\n", `phone: +12025550142}, expect: [{route: fresh, outcome: requested, call: {call_to: "+12025550142", call_direction: outbound, metadata: {at: "2026-11-24T00:00:00Z", key: "7"}, agent_dynamic_variables: {name: there}}}]}
`,
).Replace(beforeUpdate)

func TestUpdateReplacesExpectationsAndKeepsComments(t *testing.T) {
	t.Parallel()
	verdicts, file := run(t, beforeUpdate, true)
	for i, updated := range []bool{true, true, false, true} {
		if verdicts[i].Updated != updated || !verdicts[i].OK {
			t.Errorf("%+v, want updated: %t", verdicts[i], updated)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != afterUpdate {
		t.Errorf("the file is now\n%s\nwant\n%s", got, afterUpdate)
	}
	verdicts, _ = run(t, string(got), false)
	for _, v := range verdicts {
		if !v.OK {
			t.Errorf("after the update: %+v", v)
		}
	}
}

func TestUpdateDropsBlankLinesAndNothingElse(t *testing.T) {
	t.Parallel()
	_, file := run(t, strings.ReplaceAll(beforeUpdate, "    payload: payload.json\n", "\n    payload: payload.json\n\n"), true)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	if lines(string(got)) != lines(afterUpdate) {
		t.Errorf("the file is now\n%s\nwant\n%s", got, afterUpdate)
	}
}
