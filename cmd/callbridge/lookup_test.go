package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/mapping"
)

const lookupConfig = `
sources:
  crm:
    verify: {kind: token, header: X-Token, values: ["${file:%[1]s}"]}
    key: body:id
    lookup: {url: "%[2]s/contacts/{{contact}}", auth: {kind: bearer, token: "${file:%[1]s}"}}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:phone", type: phone}
routes:
  - name: all
    source: crm
    mode: live
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
`

func TestWebhookWithOnlyAnIDEndsInACall(t *testing.T) {
	t.Parallel()
	const token = "token-of-the-crm"
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.URL.Path != "/contacts/5" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"phone":"+12025550142"}`)
	}))
	t.Cleanup(crm.Close)
	dir := t.TempDir()
	secret, file := filepath.Join(dir, "token"), filepath.Join(dir, "callbridge.yaml")
	if err := os.WriteFile(secret, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, lookupConfig, secret, crm.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, map[string]string{"CONFIG_FILE": file})
	for _, body := range []string{`{"id":"e1","contact":5}`, `{"id":"e1","contact":5}`, `{"id":"e2","contact":404}`} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.process.public.url()+"/webhooks/crm", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"Content-Type": {"application/json"}, "X-Token": {token}}
		if status := w.do(request); status != http.StatusAccepted {
			t.Errorf("answered %d", status)
		}
	}
	got := map[string]event.Result{}
	for range 2 {
		r := w.result()
		got[r.Event.Key] = r
	}
	if a, b := got["e1"], got["e2"]; a.Outcome != event.Accepted || b.Reason != event.ReasonLookupNotFound {
		t.Errorf("ended %s (%s) and %s (%s)", a.Outcome, a.Detail, b.Reason, b.Detail)
	}
	if !w.ready() {
		t.Error("not ready")
	}
	if scrape := w.scrape(); !strings.Contains(scrape, `callbridge_lookups_total{result="not_found",source="crm"} 1`) {
		t.Errorf("the look-up is not counted:\n%s", scrape)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.sim.Placed()); n != 1 || len(w.results) != 0 {
		t.Errorf("%d calls and %d more results, want 1 and 0", n, len(w.results))
	}
	if strings.Contains(w.logs.String(), token) || strings.Contains(w.logs.String(), "5550142") {
		t.Error("the log shows a token or a number")
	}
}

func TestLookupPageTellsEveryKey(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/lookup.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range mapping.Sections() {
		if section.Name != "lookup" && section.Name != "auth" {
			continue
		}
		for _, key := range section.Keys {
			if row := "| `" + key.Name + "` | " + key.Doc + " |"; !strings.Contains(string(page), row) {
				t.Errorf("this row is missing:\n%s", row)
			}
		}
	}
}

// TestExampleOfTheLookupPageLoads takes the page's own YAML.
func TestExampleOfTheLookupPageLoads(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/lookup.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if _, err := mapping.Parse("lookup.md", []byte(example), mapping.Options{WithoutSecrets: true}); err != nil {
		t.Error(err)
	}
	if err := validate(t, compiledSchema(t), example); err != nil {
		t.Error(err)
	}
}
