package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/span"
)

const markedConfig = `
sources:
  form:
    verify: {kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${file:%[1]s/marked-signing}"]}
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
  - {name: form, source: form, mode: live, purpose: service, policy: {countries: [US]}, call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
  - {name: crm, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
`

// startMarked starts a bridge whose secrets are easy to find in its output: each is the name
// of its file with "-secret". The CRM knows contact 1 and refuses the key for contact 401.
func startMarked(t *testing.T, change map[string]string) *bridge {
	t.Helper()
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/contacts/1":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"phone":"+12025550143"}`)
		case "/contacts/401":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"not `+r.Header.Get("Authorization")+`"}`)
		case "/contacts/echo":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+r.Header.Get("Authorization")+"\r\n\r\n")
				_ = conn.Close()
			}
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
	env := map[string]string{"CONFIG_FILE": testkit.File(t, "callbridge.yaml", fmt.Sprintf(markedConfig, dir, crm.URL))}
	maps.Copy(env, change)
	return startBridge(t, env)
}

// send posts a webhook and returns the whole answer.
func (b *bridge) send(path, body string, header http.Header) string {
	b.t.Helper()
	answer := b.post(path, body, header)
	return fmt.Sprint(answer.Status, answer.Header, answer.Body)
}

func (b *bridge) form(body string) string {
	b.t.Helper()
	return b.send("/webhooks/form", body, testkit.Signed("marked-signing-secret", body))
}

func TestNoOutputContainsASecretOrANumber(t *testing.T) {
	t.Parallel()
	b := startMarked(t, nil)
	sender := func() http.Header { return http.Header{"X-Token": {"marked-sender-secret"}} }
	shown := []string{
		b.form(`{"id":"called","phone":"(202) 555-0142"}`),
		b.form(`{"id":"refused","phone":"202-555-0190"}`),
		b.form(`{"id":"answer lost","phone":"2025550194"}`),
		b.form(`{"id":"bad","phone":"202555014299"}`),
		b.form(`{"id":"unreadable","phone":"2025550142"`),
		b.send("/webhooks/form?token=marked-query-secret", `{"phone":"2025550142"}`, http.Header{"X-Signature": {"marked-forged-secret"}}),
		b.send("/webhooks/+12025550142", `{}`, sender()),
		b.send("/webhooks/x-202-555-0142%0A%1B[2K", `{}`, http.Header{"Traceparent": {"00-+12025550142-b7ad6b7169203331-01"}}),
		b.send("/webhooks/crm", `{"id":"looked up","contact":1}`, sender()),
		b.send("/webhooks/crm", `{"id":"nobody","contact":"+12025550144"}`, sender()),
	}
	for range 6 {
		b.result()
	}
	shown = append(shown, b.send("/webhooks/crm", `{"id":"repeated","contact":"echo"}`, sender()))
	testkit.Eventually(t, "the broken answer is logged", func() bool { return strings.Contains(b.logs.String(), "answer broken") })
	shown = append(shown, b.send("/webhooks/crm", `{"id":"held","contact":401}`, sender()))
	testkit.Eventually(t, "the CRM refuses our key", func() bool { return strings.Contains(b.admin("/readyz"), "the CRM refuses our credentials") })
	// The metrics of Go and of the process are numbers that may have the same digits.
	ours := regexp.MustCompile(`(?m)^callbridge_.*$`).FindAllString(b.admin("/metrics"), -1)
	shown = append(shown, b.admin("/readyz"), strings.Join(ours, "\n"))
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	// So are the times of log lines.
	shown = append(shown, regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllString(b.logs.String(), ""))
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

// net/http writes bytes of a peer with package log: "Unsolicited response received".
func TestPackageLogIsDiscarded(t *testing.T) {
	t.Parallel()
	startMarked(t, nil)
	if log.Writer() != io.Discard {
		t.Error("package log writes what peers send")
	}
}

func TestLogLinesAndResultHaveTheSameTrace(t *testing.T) {
	t.Parallel()
	b := startMarked(t, nil)
	b.send("/webhooks/crm", `{"id":"looked up","contact":1}`, http.Header{"X-Token": {"marked-sender-secret"}})
	got := b.result()
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	trace := span.Parent(got.TraceParent).TraceID()
	lines := map[any]map[string]any{}
	for _, line := range b.logs.Lines(t, 1) {
		lines[line["msg"]] = line
	}
	for _, msg := range []string{"webhook.received", "event.looked_up", "call.attempted"} {
		if got := lines[msg]["trace_id"]; trace == "" || got != trace {
			t.Errorf("%s has the trace %q, the result %q", msg, got, trace)
		}
	}
	if id := lines["call.attempted"]["request_id"]; id != got.RequestID.String() {
		t.Errorf("call.attempted is about %s, the result about %s", id, got.RequestID)
	}
}

// collector receives spans as OTLP over HTTP.
type collector struct {
	mu     sync.Mutex
	bodies []string
	spans  map[string]received // by name
	key    string
}

type received struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body json.RawMessage
	var sent struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []received }
		}
	}
	if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" ||
		json.NewDecoder(r.Body).Decode(&body) != nil || json.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies, c.key = append(c.bodies, string(body)), r.Header.Get("X-Key")
	for _, rs := range sent.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.spans[s.Name] = s
			}
		}
	}
	_, _ = w.Write([]byte("{}"))
}

func TestSpansOfOneWebhookFormOneChain(t *testing.T) {
	t.Parallel()
	c := &collector{spans: map[string]received{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	b := startMarked(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL + "/", "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20key",
		"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
	})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b.send("/webhooks/crm", `{"id":"repeated","contact":"echo"}`, http.Header{"X-Token": {"marked-sender-secret"}})
	testkit.Eventually(t, "the broken answer is logged", func() bool { return strings.Contains(b.logs.String(), "answer broken") })
	b.send("/webhooks/crm", `{"id":"looked up","contact":1}`, http.Header{"X-Token": {"marked-sender-secret"}, "Traceparent": {parent}})
	got := b.result()
	if got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	if err := b.stop(); err != nil { // the last spans leave now
		t.Fatal(err)
	}
	before := "b7ad6b7169203331"
	for _, step := range []struct {
		name string
		kind span.Kind
	}{
		{"POST /webhooks/:source", span.Server}, {"look up event", span.Consumer}, {"process request", span.Consumer},
		{"dial attempt", span.Internal}, {"POST Callab call", span.Client},
	} {
		s := c.spans[step.name]
		if s.TraceID != "0af7651916cd43dd8448eb211c80319c" || s.ParentSpanID != before || s.SpanID == "" || s.Kind != int(step.kind) {
			t.Errorf("%s: %+v does not follow %s", step.name, s, before)
		}
		before = s.SpanID
	}
	result, ok := span.Parse(got.TraceParent)
	if s := c.spans["publish result"]; s.ParentSpanID != c.spans["process request"].SpanID || !ok || !strings.Contains(string(result), s.TraceID+"-"+s.SpanID) {
		t.Errorf("the result has %s, its span is %+v", got.TraceParent, s)
	}
	if c.key != "a key" || !strings.Contains(c.bodies[0], "deployment.environment.name") {
		t.Errorf("key %q in %s", c.key, c.bodies[0])
	}
	for _, hidden := range []string{"-secret", "5550143", demoToken} {
		if strings.Contains(strings.Join(c.bodies, ""), hidden) {
			t.Errorf("a span shows %q", hidden)
		}
	}
}
