package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/signature"
	"callbridge/span"
)

const markedConfig = `
sources:
  form:
    verify: {kind: hmac, hash: sha256, header: X-Signature, encoding: hex, keys: ["${file:%[1]s/marked-signing}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone, region: US}}
  crm:
    verify: {kind: token, header: X-Token, values: ["${file:%[1]s/marked-sender}"]}
    key: body:id
    lookup: {url: "%[2]s/contacts/{{contact}}", auth: {kind: bearer, token: "${file:%[1]s/marked-api}"}}
    fields:
      contact: {path: contact}
      phone: {path: "lookup:phone", type: phone}
routes:
  - {name: form, source: form, mode: live, call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
  - {name: crm, source: crm, mode: live, call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
`

// markedWorld has secrets that are easy to find wherever they come out: each
// is the name of the file that holds it. Its CRM knows contact 1 and refuses
// our key for contact 401.
func markedWorld(t *testing.T, change map[string]string) *world {
	t.Helper()
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/contacts/1":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"phone":"+12025550143"}`)
		case "/contacts/401":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"not `+r.Header.Get("Authorization")+`"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(crm.Close)
	dir := t.TempDir()
	for _, name := range []string{"marked-signing", "marked-sender", "marked-api"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"-secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "callbridge.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, markedConfig, dir, crm.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"CONFIG_FILE": file}
	maps.Copy(env, change)
	return newWorld(t, env)
}

// send posts a body and returns the answer, head and body.
func (w *world) send(path, body string, header http.Header) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.process.public.url()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	return w.show(request)
}

func (w *world) show(request *http.Request) string {
	w.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprint(response.StatusCode, response.Header, string(body))
}

func (w *world) form(body string) string {
	w.t.Helper()
	signer := signature.Config{Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Encoding: "hex",
		Keys: signature.Secrets{"marked-signing-secret"}}
	header, err := signature.Sign(signer, signature.Request{Method: http.MethodPost, URI: "/webhooks/form", Body: []byte(body)}, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send("/webhooks/form", body, header)
}

func TestNothingOnTheWholeWayShowsASecretOrANumber(t *testing.T) {
	t.Parallel()
	w := markedWorld(t, nil)
	sender := func() http.Header { return http.Header{"X-Token": {"marked-sender-secret"}} }
	shown := []string{
		w.form(`{"id":"called","phone":"(202) 555-0142"}`),
		w.form(`{"id":"refused","phone":"202-555-0190"}`),
		w.form(`{"id":"answer lost","phone":"2025550194"}`),
		w.form(`{"id":"bad","phone":"202555014299"}`),
		w.form(`{"id":"unreadable","phone":"2025550142"`),
		w.send("/webhooks/form?token=marked-query-secret", `{"phone":"2025550142"}`, http.Header{"X-Signature": {"marked-forged-secret"}}),
		w.send("/webhooks/+12025550142", `{}`, sender()),
		w.send("/webhooks/crm", `{"id":"looked up","contact":1}`, sender()),
		w.send("/webhooks/crm", `{"id":"nobody","contact":"+12025550144"}`, sender()),
	}
	for range 6 {
		w.result()
	}
	shown = append(shown, w.send("/webhooks/crm", `{"id":"held","contact":401}`, sender()))
	until(t, "the CRM refuses our key", func() bool { return !w.ready() })
	for _, path := range []string{"/readyz", "/metrics"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.process.admin.url()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, w.show(request))
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	shown = append(shown, w.logs.String())
	hidden := []string{"-secret", demoToken}
	for _, last := range []string{"0142", "0143", "0144", "0190", "0194"} {
		hidden = append(hidden, "555"+last, "555-"+last, "55"+last)
	}
	for _, text := range shown {
		for _, h := range hidden {
			if strings.Contains(text, h) {
				t.Errorf("%q is shown:\n%s", h, text)
			}
		}
	}
}

func TestOneTraceLeadsFromTheWebhookToTheResult(t *testing.T) {
	t.Parallel()
	w := markedWorld(t, nil)
	w.send("/webhooks/crm", `{"id":"looked up","contact":1}`, http.Header{"X-Token": {"marked-sender-secret"}})
	got := w.result()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	trace := span.Parent(got.TraceParent).TraceID()
	seen := map[string]logLine{}
	for _, l := range w.lines() {
		seen[l.Msg] = l
	}
	for _, msg := range []string{"webhook.received", "event.looked_up", "call.attempted"} {
		if l := seen[msg]; trace == "" || l.TraceID != trace {
			t.Errorf("%s has the trace %q, the result %q", msg, l.TraceID, trace)
		}
	}
	if id := seen["call.attempted"].RequestID; id != got.RequestID.String() {
		t.Errorf("call.attempted is about %s, the result about %s", id, got.RequestID)
	}
}

// logLine is what correlates the lines of the log.
type logLine struct {
	Msg       string `json:"msg"`
	TraceID   string `json:"trace_id"`
	RequestID string `json:"request_id"`
}

func (w *world) lines() []logLine {
	w.t.Helper()
	var all []logLine
	for lines := bufio.NewScanner(strings.NewReader(w.logs.String())); lines.Scan(); {
		var l logLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}
