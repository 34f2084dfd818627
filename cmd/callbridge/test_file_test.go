package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTestSaysWhereAFileIsWrong(t *testing.T) {
	t.Parallel()
	const start = "cases:\n  - name: a\n    source: crm\n    payload: {id: 1}\n"
	for name, c := range map[string]struct{ cases, want string }{
		"empty":               {"", ": the file is empty"},
		"only comments":       {"# nothing yet\n", ": the file is empty"},
		"no YAML":             {"cases: [\n", ":2:1: not YAML"},
		"no cases":            {"tests: []\n", `:1:1: unknown key "tests"`},
		"cases is no list":    {"cases: x\n", ":1:8: cases: this is no list"},
		"unknown key":         {start + "    expected: []\n", `:5:5: cases[0]: unknown key "expected"; there are name, source`},
		"key twice":           {start + "    name: b\n", `:5:5: cases[0]: the key "name" stands here twice`},
		"name twice":          {start + strings.TrimPrefix(start, "cases:\n"), `:5:5: cases[1]: there is a case "a" already`},
		"no payload":          {"cases:\n  - {name: a, source: crm}\n", `:2:5: cases[0]: "payload" is missing`},
		"no such payload":     {"cases:\n  - {name: a, source: crm, payload: nowhere.json}\n", ":2:37: cases[0].payload: read payload"},
		"alias":               {"cases:\n  - {name: a, source: crm, payload: {a: &x 1, b: *x}}\n", "cases[0].payload.b: YAML aliases"},
		"unknown source":      {"cases:\n  - {name: a, source: cmr, payload: {id: 1}}\n", `:2:23: cases[0].source: no source "cmr"; there are crm`},
		"bad time":            {start + "    received: yesterday\n", ":5:15: cases[0].received: this is no time; for example 2026"},
		"bad outcome":         {start + "    expect:\n      - {outcome: called}\n", `:6:19: cases[0].expect[0].outcome: "called" is not allowed here; write requested`},
		"no outcome":          {start + "    expect:\n      - {route: fresh}\n", `:6:9: cases[0].expect[0]: "outcome" is missing`},
		"bad reason":          {start + "    expect:\n      - {outcome: skipped, reason: bad_phone}\n", `"bad_phone" is not allowed here; write no_route`},
		"reason of a request": {start + "    expect:\n      - {outcome: requested, reason: dry_run}\n", "has no reason"},
		"call is no mapping":  {start + "    expect:\n      - {outcome: requested, call: phone}\n", "call: this is no mapping"},
	} {
		file := testFolder(t, c.cases)
		code, _, errs := callbridge(t, "", "test", file)
		if code != 1 || !strings.Contains(errs, file+":") || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, want %q in\n%s", name, code, c.want, errs)
		}
	}
}

func TestTestRefusesInOneSentence(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"configuration as the file": {[]string{"example/callbridge.yaml"}, "is no file of cases"},
		"no file beside":            {[]string{"-c", filepath.Join(empty, "callbridge.yaml")}, "there are no cases beside"},
		"no such file":              {[]string{"nowhere.test.yaml"}, "nowhere.test.yaml"},
		"empty folder":              {[]string{empty}, "ends in .test.yaml"},
		"no configuration":          {[]string{"-c", "nowhere.yaml", "example/callbridge.test.yaml"}, "nowhere.yaml"},
	} {
		code, out, errs := callbridge(t, "", append([]string{"test"}, c.args...)...)
		if code != 1 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, %q, want %q in %q", name, code, out, c.want, errs)
		}
	}
}

const beforeUpdate = `# About these cases.

cases:
  - name: nothing expected yet   # at the side
    source: crm

    payload: |
      {"id": 1, "phone": "+12025550142",
       "name": "12"}
      # no comment, but part of the body: so this is no JSON
    content_type: application/x-www-form-urlencoded

  # About the next one.
  - name: a wrong expectation
    source: crm
    expect:   # as of today
      # the only one
      - route: fresh
        outcome: skipped # for now
        call:
          # who
          call_to: '+12025550142'
          notes: gone

    payload: payload.json
  - name: a right one
    source: crm
    payload: payload.json
    expect: [{route: fresh, outcome: requested}]
  - name: the last one
    source: crm
    payload: payload.json
# The end.
`

const afterUpdate = `# About these cases.

cases:
  - name: nothing expected yet   # at the side
    source: crm

    payload: |
      {"id": 1, "phone": "+12025550142",
       "name": "12"}
      # no comment, but part of the body: so this is no JSON
    content_type: application/x-www-form-urlencoded
    expect:
      - outcome: rejected
        reason: bad_event

  # About the next one.
  - name: a wrong expectation
    source: crm
    expect: # as of today
      # the only one
      - route: fresh
        outcome: requested # for now
        call:
          # who
          call_to: '+12025550142'
          call_direction: outbound
          metadata:
            at: "2026-11-23T09:30:00Z"
            key: "9007199254740993"
            score: 72.50
          agent_dynamic_variables:
            name: Ada

    payload: payload.json
  - name: a right one
    source: crm
    payload: payload.json
    expect: [{route: fresh, outcome: requested}]
  - name: the last one
    source: crm
    payload: payload.json
    expect:
      - route: fresh
        outcome: requested
        call:
          call_to: "+12025550142"
          call_direction: outbound
          metadata:
            at: "2026-11-23T09:30:00Z"
            key: "9007199254740993"
            score: 72.50
          agent_dynamic_variables:
            name: Ada
# The end.
`

func TestUpdateChangesExpectationsAndNothingElse(t *testing.T) {
	t.Parallel()
	file := testFolder(t, beforeUpdate)
	code, out, errs := callbridge(t, "", "test", "--update", file)
	if code != 0 || strings.Count(out, "written ") != 3 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != afterUpdate {
		t.Errorf("the file is now\n%s\nwant\n%s", got, afterUpdate)
	}
	if code, out, errs = callbridge(t, "", "test", file); code != 0 {
		t.Errorf("after the update, exit code %d: %s%s", code, out, errs)
	}
}

func TestUpdateLeavesAFileAloneThatItCannotEdit(t *testing.T) {
	t.Parallel()
	const cases = "cases: [{name: a, source: crm, payload: payload.json}]\n"
	file := testFolder(t, cases)
	code, _, errs := callbridge(t, "", "test", "--update", file)
	if code != 1 || !strings.Contains(errs, "write the case over several lines first") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != cases {
		t.Errorf("the file is now %q (%v)", got, err)
	}
}
