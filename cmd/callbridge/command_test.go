package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// callbridge runs a command and returns its exit code and what it printed.
func callbridge(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func TestDemoOnceEndsWell(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "demo", "--once")
	if code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs, out)
	}
	for _, step := range []string{"received", "mapped", "dialled", "result", "duplicate", "no_route", "missing_field", "not dialling again"} {
		if !strings.Contains(out, step) {
			t.Errorf("the demo does not show %q:\n%s", step, out)
		}
	}
	if strings.Contains(out, "route :") {
		t.Errorf("the demo shows a call that is none:\n%s", out)
	}
	if strings.Contains(out, "5550142") {
		t.Error("the demo shows a whole number")
	}
}

func TestCheckAcceptsTheExample(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "check", "--without-secrets", "example/callbridge.yaml")
	if code != 0 || !strings.Contains(out, "2 sources, 2 routes") || !strings.Contains(out, "dry_run") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

func TestCheckSaysWhereATypoIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("example/callbridge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	typo := strings.Replace(string(text), "lead_score >= 50", "leadscore >= 50", 1)
	if err := os.WriteFile(file, []byte(typo), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := callbridge(t, "", "check", "--without-secrets", file)
	if code != 1 || !strings.Contains(errs, `did you mean "lead_score"?`) || !strings.Contains(errs, file+":") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	code, out, _ := callbridge(t, "", "check", "--without-secrets", "-o", "json", file)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || r.OK || len(r.Problems) != 1 || r.Problems[0].Line == 0 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestMapExplainsWithoutSecrets(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "map", "-c", "example/callbridge.yaml", "-s", "website", "example/website-lead.json")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"+12•••••••42", "lead_score", "72", "new-lead", "dry_run", "true     consent", `"first_name": "Ada"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "0142") {
		t.Errorf("the explanation shows the number:\n%s", out)
	}
	_, out, _ = callbridge(t, exampleBody(t, "website-lead.json"), "map", "-c", "example/callbridge.yaml", "-s", "website", "--reveal", "-o", "json", "-")
	if !json.Valid([]byte(out)) || !strings.Contains(out, "+12025550142") {
		t.Errorf("--reveal -o json printed:\n%s", out)
	}
}

// TestMapSaysWhyAPartIsNeitherTrueNorFalse: the value stands in its column, and
// what it depends on after the text.
func TestMapSaysWhyAPartIsNeitherTrueNorFalse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	const config = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}, score: {path: score, type: number}, vip: {path: vip, type: bool}, tags: {path: tags, type: list}}
routes:
  - {name: lead, source: crm, when: 'score > 1 && vip || tags[5] == "x" || phone == "y"', call: {call_to: phone}}
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	const body = `{"id":"k","phone":"+12025550142","tags":["a"]}`
	code, out, errs := callbridge(t, body, "map", "-c", file, "-s", "crm", "--content-type", "application/json", "-")
	const want = `
      unknown  score > 1 (depends on score)
      unknown  vip
      error    tags[5] == "x" (index out of bounds: 5)
      false    phone == "y"
`
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d: %s\nwant%s\nprinted\n%s", code, errs, want, out)
	}
}

func TestVersionPrintsJSON(t *testing.T) {
	t.Parallel()
	code, out, _ := callbridge(t, "", "version", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || code != 0 || b.Go == "" || b.Version == "" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestCommandsRefuseInOneSentence(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":         {[]string{"check", "nowhere.yaml"}, "nowhere.yaml"},
		"unknown source":  {[]string{"map", "-c", "example/callbridge.yaml", "-s", "webshop", "example/website-lead.json"}, "it has hubspot, website"},
		"no source":       {[]string{"map", "example/website-lead.json"}, "source"},
		"bad output":      {[]string{"version", "-o", "xml"}, "it is text or json"},
		"unknown command": {[]string{"server"}, "unknown command"},
		"port in use":     {[]string{"simulate", "--addr", taken.Addr().String()}, "address already in use"},
		"without show":    {[]string{"sources", "hubspot"}, "callbridge sources show hubspot"},
		"show misspelt":   {[]string{"sources", "shwo", "hubspot"}, "callbridge sources show hubspot"},
		"no such source":  {[]string{"sources", "hubpsot"}, "callbridge sources show NAME"},
		"no such body":    {[]string{"map", "-c", "example/callbridge.yaml", "-s", "website", "nowhere.json"}, "nowhere.json"},
	} {
		code, _, errs := callbridge(t, "", c.args...)
		if code != 1 || !strings.Contains(errs, c.want) || !strings.HasPrefix(errs, "callbridge: ") {
			t.Errorf("%s: exit code %d: %q, want %q in it", name, code, errs, c.want)
		}
	}
}
