package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/mapping/golden"
)

func TestExamplePassesItsOwnTests(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "test", "-c", "example/callbridge.yaml")
	if code != 0 || !strings.Contains(out, "7 cases, 0 failed") {
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

const testConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone}}
`

// testFolder writes a configuration and its cases, and returns the cases' file.
func testFolder(t *testing.T, cases string) string {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "callbridge.test.yaml")
	for name, text := range map[string]string{filepath.Join(folder, "callbridge.yaml"): testConfig, file: cases} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

const (
	passingCases = "cases:\n  - {name: a lead, source: crm, payload: {id: 1, phone: +12025550142}, expect: [{route: lead, outcome: requested}]}\n"
	failingCases = `cases:
  - name: another number
    source: crm
    payload: {id: 1, phone: +12025550142}
    expect: [{route: lead, outcome: requested, call: {call_to: "+12025550143", call_direction: outbound}}]
`
)

func TestTestFindsCases(t *testing.T) {
	t.Parallel()
	file := testFolder(t, passingCases)
	for name, args := range map[string][]string{
		"file": {file}, "folder": {filepath.Dir(file)}, "configuration": {"-c", strings.Replace(file, ".test", "", 1)},
	} {
		code, out, errs := callbridge(t, "", append([]string{"test"}, args...)...)
		if code != 0 || !strings.Contains(out, "1 cases, 0 failed") {
			t.Errorf("%s: exit code %d: %s%s", name, code, out, errs)
		}
	}
}

func TestTestPrintsDifferences(t *testing.T) {
	t.Parallel()
	file := testFolder(t, failingCases)
	code, out, errs := callbridge(t, "", "test", "-o", "json", file)
	var verdicts []golden.Verdict
	if err := json.Unmarshal([]byte(out), &verdicts); err != nil || len(verdicts) != 1 || len(verdicts[0].Differences) != 1 || code != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if !strings.Contains(errs, "1 of 1 cases failed") {
		t.Errorf("it says %q", errs)
	}
	_, out, _ = callbridge(t, "", "test", file)
	for _, line := range []string{file + ":2: another number", "      want \"+12025550143\"\n      got  \"+12025550142\"\n", "1 cases, 1 failed"} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is missing in\n%s", line, out)
		}
	}
}

func TestTestUpdatesCases(t *testing.T) {
	t.Parallel()
	file := testFolder(t, failingCases)
	code, out, errs := callbridge(t, "", "test", "--update", file)
	if code != 0 || !strings.Contains(out, "written "+file+":2: another number") || !strings.Contains(out, "1 written: read what they expect now") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if code, out, errs = callbridge(t, "", "test", file); code != 0 {
		t.Errorf("after the update, exit code %d: %s%s", code, out, errs)
	}
}

func TestTestErrorsAreOneSentence(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"configuration as the file": {[]string{"example/callbridge.yaml"}, "is not a file of cases"},
		"no file beside":            {[]string{"-c", filepath.Join(empty, "callbridge.yaml")}, "no file of cases next to"},
		"no such file":              {[]string{"nowhere.test.yaml"}, "nowhere.test.yaml"},
		"empty folder":              {[]string{empty}, "ends in .test.yaml"},
		"no configuration":          {[]string{"-c", "nowhere.yaml", "example/callbridge.test.yaml"}, "nowhere.yaml"},
		"mistake in the cases":      {[]string{testFolder(t, "cases: x\n")}, "callbridge.test.yaml:1:8: cases: found a single value where a list of cases belongs"},
	} {
		code, out, errs := callbridge(t, "", append([]string{"test"}, c.args...)...)
		if code != 1 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, %q, want %q in %q", name, code, out, c.want, errs)
		}
	}
}
