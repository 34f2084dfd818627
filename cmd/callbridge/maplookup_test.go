package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const thinConfig = `
sources:
  crm:
    verify: {kind: token, header: X-Token, values: ["${CRM_KEY}"]}
    key: body:id
    lookup: {url: "https://crm.example.com/contacts/{{contact}}", auth: {kind: bearer, token: "${CRM_TOKEN}"}}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:person.phone", type: phone}
routes:
  - {name: all, source: crm, call: {call_to: phone}}
`

func TestMapAnswersALookupFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config, webhook := file("callbridge.yaml", thinConfig), file("webhook.json", `{"id":1,"contact":5}`)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"without", nil, []string{"GET https://crm.example.com/contacts/5", "--lookup FILE", "rejected missing_field"}},
		{"JSON", []string{"--lookup", file("answer.json", `{"person":{"phone":"+12025550142"}}`)}, []string{"answered from the file", "skipped dry_run", "+12•••••••42"}},
		{"XML", []string{"--lookup", file("answer.xml", `<person><phone>+12025550142</phone></person>`)}, []string{"answered from the file", "skipped dry_run"}},
	} {
		code, out, errs := callbridge(t, "", append([]string{"map", "-c", config, "-s", "crm", webhook}, c.args...)...)
		for _, want := range c.want {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s: exit code %d, %q is missing:\n%s%s", c.name, code, want, out, errs)
			}
		}
	}
	code, _, errs := callbridge(t, "", "map", "-c", config, "-s", "crm", "--lookup", file("broken.json", `{`), webhook)
	if code != 1 || !strings.Contains(errs, "read --lookup") {
		t.Errorf("a broken answer: exit code %d: %s", code, errs)
	}
}
