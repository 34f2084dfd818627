package handlers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/handlers"
	"callbridge/mapping"
)

const config = `
sources:
  website:
    verify:
      - {kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${SECRET}"]}
    key: [body:id]
    type: [body:type]
    fields:
      phone: {path: phone, type: phone, region: US}
      consent: {path: consent, type: bool}
  batch:
    verify: {kind: token, header: X-Token, values: ["${SECRET}"]}
    split: events[*]
    key: [body:id]
    fields:
      phone: {path: phone, type: phone, region: US}
routes:
  - name: new-lead
    source: website
    mode: live
    when: type == "lead.created" && consent
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
  - name: everybody
    source: batch
    mode: live
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
`

const secret = "a secret of the test"

// world is the front door on a bus of its own.
type world struct {
	t    *testing.T
	bus  *bus.Bus
	url  string
	logs *journal
	js   jetstream.JetStream
}

func newWorld(t *testing.T) *world { return newWorldOf(t, config) }

func newWorldOf(t *testing.T, config string, proxies ...string) *world {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	b, err := bus.Open(t.Context(), bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: quiet,
		Embedded: bus.Embedded{Dir: t.TempDir(), Listen: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c, err := mapping.Parse("callbridge.yaml", []byte(config), mapping.Options{LookupEnv: func(string) (string, bool) { return secret, true }})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, bus: b, logs: newJournal()}
	intake := handlers.Intake{Mapping: func() *mapping.Config { return c }, Bus: b, Log: slog.New(slog.NewJSONHandler(w.logs, nil)), TrustedProxies: proxies}
	health := handlers.Health{Checks: []handlers.Check{{Name: "nats", Ask: b.Ready}}}
	server := httptest.NewServer(handlers.Public(intake, health, prometheus.NewRegistry()))
	t.Cleanup(server.Close)
	w.url = server.URL
	if w.js, err = jetstream.New(b.Conn()); err != nil {
		t.Fatal(err)
	}
	return w
}

// answer is what a sender reads.
type answer struct {
	status  int
	header  http.Header
	Error   string `json:"error"`
	Message string `json:"message"`
	Events  []struct {
		ID       string   `json:"id"`
		Status   string   `json:"status"`
		Requests []string `json:"requests"`
		Reason   string   `json:"reason"`
		Field    string   `json:"field"`
	} `json:"events"`
}

// statuses are the events' statuses in order.
func (a answer) statuses() string {
	var all []string
	for _, e := range a.Events {
		all = append(all, e.Status)
	}
	return strings.Join(all, " ")
}

func (w *world) do(method, path, body string, header http.Header) answer {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		w.t.Fatalf("%s %s: answer is not JSON: %v", method, path, err)
	}
	return a
}

// signed are the headers with which the website sends a body.
func signed(body string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return http.Header{
		"Content-Type": {"application/json"},
		"X-Signature":  {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}
}

func (w *world) website(body string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/webhooks/website", body, signed(body))
}

func (w *world) batch(body string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/webhooks/batch", body, http.Header{"Content-Type": {"application/json"}, "X-Token": {secret}})
}

// stored counts the messages of a stream, but for those that only close a
// request.
func (w *world) stored(stream string) (n uint64) {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := s.Info(w.t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		w.t.Fatal(err)
	}
	for subject, messages := range info.State.Subjects {
		if !strings.HasSuffix(subject, ".closed") {
			n += messages
		}
	}
	return n
}

const lead = `{"id":"lead-1","type":"lead.created","phone":"(202) 555-0142","consent":"yes"}`
