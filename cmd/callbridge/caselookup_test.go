package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const askingConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [body:id]
    lookup:
      - url: "https://api.example.com/contacts/{{contact}}"
        auth: {kind: bearer, token: "${TOKEN}"}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:phone", type: phone}
routes:
  - name: all
    source: crm
    mode: live
    call: {call_to: phone}
`

func TestTestAnswersALookup(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	const asked = `cases:
  - name: the number comes from the CRM
    source: crm
    payload: {id: e-1, contact: c-1}
    expect: [{route: all, outcome: requested}]
`
	for name, text := range map[string]string{
		"callbridge.yaml":      askingConfig,
		"callbridge.test.yaml": strings.Replace(asked, "    expect", "    lookup: {phone: \"+12025550142\"}\n    expect", 1),
		"unanswered.test.yaml": asked,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(folder, "callbridge.yaml")
	if code, out, errs := callbridge(t, "", "test", "-c", config, filepath.Join(folder, "callbridge.test.yaml")); code != 0 {
		t.Errorf("with an answer: exit code %d: %s%s", code, out, errs)
	}
	code, out, errs := callbridge(t, "", "test", "-c", config, filepath.Join(folder, "unanswered.test.yaml"))
	if code != 1 || !strings.Contains(out+errs, "give the answer as lookup") {
		t.Errorf("without an answer: exit code %d: %s%s", code, out, errs)
	}
}
