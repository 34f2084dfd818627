package main

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/sethvargo/go-envconfig"

	"callbridge/callab/callabsim"
	"callbridge/demo"
	"callbridge/dispatch/waiting"
	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/mapping"
)

// bridge is a process with the wiring of serve, a simulated Callab, and a subscriber to its
// results.
type bridge struct {
	t       *testing.T
	sim     *callabsim.Sim
	process *process
	dir     string // the store of the embedded NATS
	results <-chan *nats.Msg
	logs    *testkit.Log
	stop    func() error
}

// environment is the environment of a bridge on free ports with short timings.
func environment(t *testing.T, callab string) map[string]string {
	return map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "NATS_LISTEN": "127.0.0.1:0",
		"NATS_STORE_DIR": t.TempDir(), "NATS_WAIT": "0", "CALLAB_URL": callab + "/v1", "CALLAB_TOKEN": demoToken, "DIAL_RATE": "0",
		"CALLAB_TIMEOUT": "1s", "CALLAB_IDLE": "500ms", "DIAL_WRITE_WINDOW": "500ms", "DIAL_CLAIM_AGE": "4s",
		"DIAL_SETTLE": "800ms", "DIAL_ACK_WAIT": "3s",
	}
}

// startBridge starts a bridge with the example configuration in mode live, or with
// CONFIG_FILE. change replaces variables of its environment.
func startBridge(t *testing.T, change map[string]string) *bridge {
	t.Helper()
	b := &bridge{t: t, logs: &testkit.Log{}, sim: callabsim.New(callabsim.Options{Tokens: []string{demoToken}, MagicNumbers: true})}
	server := httptest.NewServer(b.sim)
	t.Cleanup(server.Close)
	env := environment(t, server.URL)
	maps.Copy(env, change)
	b.dir = env["NATS_STORE_DIR"]
	s, err := loadSettings(t.Context(), envconfig.MapLookuper(env))
	if err != nil {
		t.Fatal(err)
	}
	example, err := exampleConfig(demo.AnyTime)
	if err != nil {
		t.Fatal(err)
	}
	config := fixed(example.WithMode(mapping.Live))
	if file, ok := change["CONFIG_FILE"]; ok {
		if config, err = loadConfiguration(file, waiting.Patience(s.Retention)); err != nil {
			t.Fatal(err)
		}
	}
	if b.process, err = start(t.Context(), s, config, b.logs.Logger()); err != nil {
		t.Fatal(err)
	}
	b.run()
	conn := testkit.Connect(t, b.process.bus.UserURL("results"), nats.UserInfo("service", "secret"), nats.ReconnectWait(50*time.Millisecond))
	b.results = testkit.Subscribe(t, conn, "callbridge.result.>")
	return b
}

// startBridgeOnNATS starts a bridge on a NATS of its own, and returns what stops the NATS.
func startBridgeOnNATS(t *testing.T) (b *bridge, stopNATS func()) {
	t.Helper()
	server := runNATS(t, t.TempDir(), -1)
	b = startBridge(t, map[string]string{"NATS_URL": server.ClientURL()})
	return b, func() {
		t.Helper()
		server.Shutdown()
		server.WaitForShutdown()
		testkit.Eventually(t, "the connection is lost", func() bool { return !b.process.bus.Conn().IsConnected() })
	}
}

func (b *bridge) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.process.run(ctx) }()
	b.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	b.t.Cleanup(func() {
		if err := b.stop(); err != nil {
			b.t.Errorf("run: %v", err)
		}
	})
}

// result waits for the next result.
func (b *bridge) result() event.Result {
	b.t.Helper()
	return testkit.Receive[event.Result](b.t, b.results)
}

// post sends a webhook.
func (b *bridge) post(path, body string, header http.Header) testkit.Answer {
	b.t.Helper()
	return testkit.Post(b.t, b.process.public.URL()+path, body, header)
}

// website sends a webhook signed as the website of the example does, and returns the status.
func (b *bridge) website(body string) int {
	b.t.Helper()
	return b.post("/webhooks/website", body, signed(body)).Status
}

func signed(body string) http.Header { return testkit.Signed(demo.Secrets["WEBSITE_SECRET"], body) }

// admin returns the body of an answer of the admin listener.
func (b *bridge) admin(path string) string {
	b.t.Helper()
	return testkit.Get(b.t, b.process.admin.URL()+path).Body
}

// scrape returns the metrics.
func (b *bridge) scrape() string {
	b.t.Helper()
	return b.admin("/metrics")
}

// ready reports whether /readyz answers 200.
func (b *bridge) ready() bool {
	b.t.Helper()
	return testkit.Get(b.t, b.process.admin.URL()+"/readyz").Status == http.StatusOK
}

// exampleBody is a webhook of the example.
func exampleBody(t *testing.T, file string) string {
	t.Helper()
	text, err := example.ReadFile("example/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// callbridge runs a command and returns its exit code and its output.
func callbridge(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}
