package handlers_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/handlers"
	"callbridge/internal/testkit"
	"callbridge/mapping"
	"callbridge/untrusted"
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
    purpose: service
    policy: {countries: [US]}
    when: type == "lead.created" && consent
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
  - name: every-event
    source: batch
    mode: live
    purpose: service
    policy: {countries: [US]}
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
`

const secret = "a secret of the test"

// fixture is a public listener with a bus of its own.
type fixture struct {
	t         *testing.T
	bus       *bus.Bus
	url       string
	log       testkit.Log
	linesRead int
	// logging is locked while a log line is written.
	logging  sync.Mutex
	js       jetstream.JetStream
	registry *prometheus.Registry
}

func setup(t *testing.T) *fixture { return setupWith(t, config) }

func setupWith(t *testing.T, config string, proxies ...string) *fixture {
	t.Helper()
	return setupOn(t, openBus(t), config, proxies...)
}

// setupOn is a further listener on a bus, as that of another process.
func setupOn(t *testing.T, b *bus.Bus, config string, proxies ...string) *fixture {
	t.Helper()
	f := &fixture{t: t, bus: b, registry: prometheus.NewRegistry()}
	health := handlers.Health{Checks: []handlers.Check{{Name: "nats", Ask: f.bus.Ready}}}
	server := httptest.NewServer(handlers.Public(handlers.Intake{
		Mapping: parse(t, config), Bus: f.bus, Log: untrusted.NewLogger(slog.NewJSONHandler(f, nil)), TrustedProxies: proxies,
	}, health, f.registry))
	t.Cleanup(server.Close)
	f.url = server.URL
	var err error
	if f.js, err = jetstream.New(f.bus.Conn()); err != nil {
		t.Fatal(err)
	}
	return f
}

func openBus(t testing.TB) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 30 * time.Second, Log: slog.New(slog.DiscardHandler),
		Embedded: bus.Embedded{Dir: t.TempDir(), Listen: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// parse parses a configuration in which every secret is secret.
func parse(t testing.TB, text string) func() *mapping.Config {
	t.Helper()
	c, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{LookupEnv: func(string) (string, bool) { return secret, true }})
	if err != nil {
		t.Fatal(err)
	}
	return func() *mapping.Config { return c }
}

// Write writes a line of the log. It blocks while a test holds logging.
func (f *fixture) Write(line []byte) (int, error) {
	f.logging.Lock()
	defer f.logging.Unlock()
	return f.log.Write(line)
}

// lastLine waits for a log line that was not read yet and returns the newest: the
// line of an accepted webhook is written after its answer.
func (f *fixture) lastLine() map[string]any {
	f.t.Helper()
	lines := f.log.Lines(f.t, f.linesRead+1)
	f.linesRead = len(lines)
	return lines[len(lines)-1]
}

// checkLine compares some attributes of a log line; nil means absent.
func checkLine(t *testing.T, name string, line, want map[string]any) {
	t.Helper()
	for attribute, value := range want {
		if line[attribute] != value {
			t.Errorf("%s: the line says %s %v, want %v", name, attribute, line[attribute], value)
		}
	}
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
		Was      string   `json:"was"`
		Until    string   `json:"until"`
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

func (f *fixture) do(method, path, body string, header http.Header) answer {
	f.t.Helper()
	got := testkit.Do(f.t, method, f.url+path, body, header)
	a := answer{status: got.Status, header: got.Header}
	got.Decode(f.t, &a)
	return a
}

// signed returns the headers of a webhook of the source website.
func signed(body string) http.Header { return testkit.Signed(secret, body) }

func (f *fixture) website(body string) answer {
	f.t.Helper()
	return f.do(http.MethodPost, "/webhooks/website", body, signed(body))
}

func (f *fixture) batch(body string) answer {
	f.t.Helper()
	return f.do(http.MethodPost, "/webhooks/batch", body, http.Header{"Content-Type": {"application/json"}, "X-Token": {secret}})
}

// stored counts the messages of a stream without the markers that close a
// request.
func (f *fixture) stored(stream string) (n uint64) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), stream)
	if err != nil {
		f.t.Fatal(err)
	}
	info, err := s.Info(f.t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		f.t.Fatal(err)
	}
	for subject, messages := range info.State.Subjects {
		if !strings.HasSuffix(subject, ".closed") {
			n += messages
		}
	}
	return n
}

const lead = `{"id":"lead-1","type":"lead.created","phone":"(202) 555-0142","consent":"yes"}`
