package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/sethvargo/go-envconfig"

	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/mapping"
	"callbridge/signature"
)

// world is the real wiring of serve, a simulator, and an ordinary NATS client.
type world struct {
	t       *testing.T
	sim     *callabsim.Sim
	process *process
	dir     string
	results chan *nats.Msg
	logs    *syncBuffer
	stop    func() error
}

// syncBuffer takes the log lines of a process.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// environment is what serve needs, on free ports and with quick timings.
func environment(t *testing.T, callab string) map[string]string {
	return map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "NATS_LISTEN": "127.0.0.1:0",
		"NATS_STORE_DIR": t.TempDir(), "CALLAB_URL": callab + "/v1", "CALLAB_TOKEN": demoToken, "DIAL_RATE": "0",
		"CALLAB_TIMEOUT": "1s", "CALLAB_IDLE": "500ms", "DIAL_WRITE_WINDOW": "500ms", "DIAL_CLAIM_AGE": "4s",
		"DIAL_SETTLE": "800ms", "DIAL_ACK_WAIT": "3s",
	}
}

func newWorld(t *testing.T, change map[string]string) *world {
	t.Helper()
	w := &world{t: t, logs: &syncBuffer{}, results: make(chan *nats.Msg, 1024)}
	w.sim = callabsim.New(callabsim.Options{Tokens: []string{demoToken}, MagicNumbers: true})
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	env := environment(t, server.URL)
	for k, v := range change {
		env[k] = v
	}
	w.dir = env["NATS_STORE_DIR"]
	s, err := loadSettings(t.Context(), envconfig.MapLookuper(env))
	if err != nil {
		t.Fatal(err)
	}
	example, err := exampleConfig()
	if err != nil {
		t.Fatal(err)
	}
	config := fixed(example.WithMode(mapping.Live))
	if file, ok := change["CONFIG_FILE"]; ok {
		if config, err = loadConfiguration(file); err != nil {
			t.Fatal(err)
		}
	}
	w.process, err = start(t.Context(), s, config, slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	w.run()
	w.subscribe()
	return w
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.process.run(ctx) }()
	w.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	w.t.Cleanup(func() {
		if err := w.stop(); err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
}

// subscribe listens as any service of the company would; a NATS without users
// does not ask who it is.
func (w *world) subscribe() {
	w.t.Helper()
	conn, err := nats.Connect(w.process.bus.ClientURL(), nats.UserInfo("service", "secret"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	if _, err := conn.ChanSubscribe("callbridge.result.>", w.results); err != nil {
		w.t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) result() event.Result {
	w.t.Helper()
	select {
	case m := <-w.results:
		var r event.Result
		if err := json.Unmarshal(m.Data, &r); err != nil {
			w.t.Fatal(err)
		}
		return r
	case <-time.After(30 * time.Second):
		w.t.Fatalf("no result within 30 s; log:\n%s", w.logs)
		return event.Result{}
	}
}

// website posts a body as the website of the example signs it.
func (w *world) website(body string) int {
	w.t.Helper()
	headers, err := signature.Sign(senders["website"], signature.Request{Method: http.MethodPost, URI: "/webhooks/website", Body: []byte(body)}, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.process.public.url()+"/webhooks/website", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = headers
	request.Header.Set("Content-Type", "application/json")
	return w.do(request)
}

func (w *world) do(request *http.Request) int {
	w.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// ready asks /readyz.
func (w *world) ready() bool {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.process.admin.url()+"/readyz", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(request) == http.StatusOK
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
