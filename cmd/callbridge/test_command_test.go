package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExamplePassesItsOwnTests(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "test", "-c", "example/callbridge.yaml")
	if code != 0 || !strings.Contains(out, "5 cases, 0 failed") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	cases, err := os.ReadFile("example/callbridge.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	payloads, err := filepath.Glob("example/*.json")
	if err != nil || len(payloads) == 0 {
		t.Fatalf("find payloads: %v, %v", payloads, err)
	}
	for _, file := range payloads {
		if !strings.Contains(string(cases), "payload: "+filepath.Base(file)) {
			t.Errorf("no case is about %s", file)
		}
	}
}

// testConfig has a rule about age, which depends on when a webhook comes in.
const testConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [header:X-Event-Id, body:id]
    time: body:at
    fields:
      phone: {path: phone, type: phone}
      name: {path: name, optional: true}
      score: {path: score, type: number, optional: true}
routes:
  - name: fresh
    source: crm
    mode: live
    when: hours_since(time) < 24
    call:
      call_to: phone
      agent_dynamic_variables: {name: "{{name|there}}"}
      metadata: {key: "{{key}}", at: "{{time}}", score: "{{score}}"}
`

// testFolder writes a configuration and its cases, and returns the cases' file.
func testFolder(t *testing.T, cases string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"callbridge.yaml": testConfig, "callbridge.test.yaml": cases,
		"payload.json": `{"id": 9007199254740993, "at": "2026-11-23T09:30:00Z", "phone": "+12025550142", "name": "Ada", "score": "72.50"}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "callbridge.test.yaml")
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
          notes: callbridge, too
  - name: a form
    source: crm
    content_type: application/x-www-form-urlencoded
    payload: |
      id=7&at=2026-11-23T09:30:00Z&phone=nobody
    expect:
      - {route: fresh, outcome: rejected, reason: bad_phone, field: phone}
`

func TestTestAcceptsCasesInEveryForm(t *testing.T) {
	t.Parallel()
	file := testFolder(t, strings.Replace(passing, "callbridge, too", "callbridge 123", 1))
	for name, args := range map[string][]string{
		"file": {file}, "folder": {filepath.Dir(file)}, "configuration": {"-c", strings.Replace(file, ".test", "", 1)},
	} {
		code, out, errs := callbridge(t, "", append([]string{"test"}, args...)...)
		if code != 0 || !strings.Contains(out, "4 cases, 0 failed") {
			t.Errorf("%s: exit code %d: %s%s", name, code, out, errs)
		}
	}
}

func TestTestTellsEachDifference(t *testing.T) {
	t.Parallel()
	file := testFolder(t, `cases:
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
`)
	code, out, errs := callbridge(t, "", "test", "-o", "json", file)
	var verdicts []verdict
	if err := json.Unmarshal([]byte(out), &verdicts); err != nil || len(verdicts) != 1 || code != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if v := verdicts[0]; v.OK || v.Line != 2 || v.Case != "everything is different" || v.File != file {
		t.Errorf("verdict %+v", v)
	}
	var got []string
	for _, d := range verdicts[0].Differences {
		got = append(got, strings.Join(strings.Fields(d.Path+" "+orNothing(d.Want)+" "+orNothing(d.Got)), " "))
	}
	want := []string{
		`expect[0].call.call_from "+12025550100" nothing`,
		`expect[0].call.call_to "+12025550143" "+12025550142"`,
		`expect[0].call.metadata.at nothing "2026-11-23T09:30:00Z"`,
		`expect[0].call.metadata.key 9007199254740992 "9007199254740993"`,
		`expect[0].call.metadata.score 72.5 72.50`,
		`expect[1] { "outcome": "skipped", "reason": "dry_run", "route": "stale" } nothing`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("differences\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(errs, "1 of 1 cases failed") {
		t.Errorf("it says %q", errs)
	}
	_, out, _ = callbridge(t, "", "test", file)
	for _, line := range []string{file + ":2: everything is different", "      want \"+12025550143\"\n      got  \"+12025550142\"\n", "1 cases, 1 failed"} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is missing in\n%s", line, out)
		}
	}
}

func TestTestFailsWithoutAnythingToCompare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ cases, want string }{
		"no expect":        {"cases:\n  - {name: a, source: crm, payload: payload.json}\n", "--update"},
		"empty expect":     {"cases:\n  - {name: a, source: crm, payload: payload.json, expect: []}\n", "got  {\"call\":"},
		"unreadable body":  {"cases:\n  - {name: a, source: crm, payload: payload.json, content_type: text/xml, expect: []}\n", "the webhook cannot be read"},
		"unsupported body": {"cases:\n  - {name: a, source: crm, payload: payload.json, content_type: image/png, expect: []}\n", "the webhook cannot be read"},
	} {
		code, out, _ := callbridge(t, "", "test", testFolder(t, c.cases))
		if code != 1 || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %q in\n%s", name, code, c.want, out)
		}
	}
}
