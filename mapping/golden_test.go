package mapping_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/mapping"
)

// received is when every webhook of the tests comes in.
var received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var contentTypes = map[string]string{
	".json": "application/json", ".form": "application/x-www-form-urlencoded", ".xml": "text/xml; charset=utf-8",
}

func withSecret() mapping.Options {
	return mapping.Options{LookupEnv: func(name string) (string, bool) { return "open sesame", name == "SECRET" }}
}

// outcome is a decision as the golden files show it.
type outcome struct {
	Event   string          `json:"event"`
	Route   string          `json:"route,omitempty"`
	Outcome event.Outcome   `json:"outcome"`
	Reason  event.Reason    `json:"reason,omitempty"`
	Field   string          `json:"field,omitempty"`
	Detail  string          `json:"detail,omitempty"`
	Call    json.RawMessage `json:"call,omitempty"`
}

// TestCases maps testdata/<case>/payload.* with testdata/<case>/callbridge.yaml
// for its first source, and compares what comes out with want.json.
func TestCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/payload.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("find cases: %v, %v", files, err)
	}
	for _, file := range files {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			got := mapFile(t, filepath.Join(folder, "callbridge.yaml"), file)
			golden(t, filepath.Join(folder, "want.json"), got)
		})
	}
}

func mapFile(t *testing.T, configFile, payloadFile string) []outcome {
	t.Helper()
	config, err := mapping.Load(configFile, withSecret())
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(payloadFile)
	if err != nil {
		t.Fatal(err)
	}
	contentType := contentTypes[filepath.Ext(payloadFile)]
	var outcomes []outcome
	for _, in := range read(t, config, config.Sources()[0].Name(), contentType, string(body)) {
		for _, d := range config.Map(in) {
			outcomes = append(outcomes, outcomeOf(d))
		}
	}
	return outcomes
}

func outcomeOf(d mapping.Decision) outcome {
	if d.Request != nil {
		return outcome{Event: d.Request.Event.Key, Route: d.Route, Outcome: "requested", Call: d.Request.Call}
	}
	r := d.Result
	return outcome{r.Event.Key, d.Route, r.Outcome, r.Reason, r.Field, r.Detail, r.Request}
}

// read decodes a delivery without verifying it.
func read(t testing.TB, config *mapping.Config, source, contentType, body string) []mapping.Incoming {
	t.Helper()
	return readWith(t, config, source, body, "Content-Type", contentType)
}

// readWith reads JSON unless a Content-Type is among the headers.
func readWith(t testing.TB, config *mapping.Config, source, body string, headers ...string) []mapping.Incoming {
	t.Helper()
	s, ok := config.Source(source)
	if !ok {
		t.Fatalf("no source %s", source)
	}
	events, err := s.Read(delivery(body, headers...))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func delivery(body string, headers ...string) mapping.Delivery {
	header := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return mapping.Delivery{
		Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/crm", RawQuery: "q=1"},
		Header: header, Body: []byte(body), Received: received,
	}
}

func golden(t *testing.T, file string, value any) {
	t.Helper()
	testkit.Golden(t, file, testkit.JSON(t, value))
}

const explainConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields:
      phone: {path: phone, type: phone}
      backup: {path: backup, optional: true}
      score: {path: score, type: number}
      vip: {path: vip, type: bool, optional: true}
routes:
  - name: lead
    source: crm
    mode: live
    purpose: service
    policy: {countries: [US]}
    stop: true
    when: (score >= 50 || vip) && !present(backup) || phone == "+12025550199"
    call: {call_to: phone, metadata: {id: 2025550142, note: "call {{phone}}"}}
  - {name: undecided, source: crm, when: vip, call: {call_to: phone}}
  - {name: off, source: crm, enabled: false, call: {call_to: phone}}
`

func TestExplainShowsFieldsAndPartsOfRules(t *testing.T) {
	t.Parallel()
	config := parse(t, explainConfig)
	in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+1 202 555 0142", "score": 40, "backup": "+12025550143"}`)
	golden(t, "testdata/explain.json", config.Explain(in[0]))
}

func TestExplainMasksNumbersUnlessRevealed(t *testing.T) {
	t.Parallel()
	config := parse(t, explainConfig)
	in := read(t, config, "crm", "application/json", `{"id": "k", "phone": "+1 202 555 0142", "score": 60}`)
	x := config.Explain(in[0])
	masked, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(masked), "+12025550142") || !strings.Contains(string(masked), `"id":2025550142`) {
		t.Errorf("masked: %s", masked)
	}
	revealed, err := json.Marshal(x.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(revealed), "+12025550142"); got != 3 {
		t.Errorf("revealed %d times: %s", got, revealed)
	}
	if again, _ := json.Marshal(x); string(again) != string(masked) {
		t.Error("Reveal changed the explanation")
	}
	if got := x.Routes[1].State; got != "not_reached" {
		t.Errorf("after stop: got %s", got)
	}
}
