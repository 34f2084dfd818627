package main

import (
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/sethvargo/go-envconfig"

	"callbridge/bus/bustest"
	"callbridge/event"
)

func exampleBody(t *testing.T, file string) string {
	t.Helper()
	body, err := example.ReadFile("example/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSameWebhookFiftyTimesAtOnceIsOneCallAndOneResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	body := exampleBody(t, "website-lead.json")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if status := w.website(body); status != http.StatusAccepted {
				t.Errorf("answered %d", status)
			}
		})
	}
	all.Wait()
	if got := w.result(); got.Outcome != event.Accepted || got.Event.Key != "lead-1001" {
		t.Errorf("ended %s (%s) for %s", got.Outcome, got.Reason, got.Event.Key)
	}
	if err := w.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n, more := len(w.sim.Placed()), len(w.results); n != 1 || more != 0 {
		t.Errorf("%d calls and %d more results, want 1 and 0", n, more)
	}
}

func TestAProcessThatStopsIsNotReady(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(asked) })
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		first()
		<-answer
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer api.Close()
	w := newWorld(t, map[string]string{"CALLAB_URL": api.URL, "CALLAB_TIMEOUT": "30s", "DIAL_CLAIM_AGE": "90s"})
	until(t, "ready at first", w.ready)
	w.website(exampleBody(t, "website-lead.json"))
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- w.stop() }()
	until(t, "not ready", func() bool { return strings.Contains(w.adminSays("/readyz"), `"process":"is stopping"`) })
	if w.ready() {
		t.Error("ready while it stops")
	}
	close(answer)
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestNATSThatStopsAndComesBack(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), bustest.Port(t)
	natsServer := runNATS(t, dir, port)
	w := newWorld(t, map[string]string{"NATS_URL": natsServer.ClientURL()})
	until(t, "ready at first", w.ready)

	natsServer.Shutdown()
	natsServer.WaitForShutdown()
	body := exampleBody(t, "website-lead.json")
	if status := w.website(body); status != http.StatusServiceUnavailable {
		t.Errorf("without NATS a webhook is answered %d, want 503", status)
	}
	if w.ready() {
		t.Error("ready without NATS")
	}

	runNATS(t, dir, port)
	until(t, "ready again", w.ready)
	if status := w.website(body); status != http.StatusAccepted {
		t.Errorf("with NATS back a webhook is answered %d, want 202", status)
	}
	if got := w.result(); got.Outcome != event.Accepted {
		t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if n := len(w.sim.Placed()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func runNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	return bustest.Server(t, &server.Options{Port: port, StoreDir: dir, JetStream: true})
}

func TestEventsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Nobody listens there: the call cannot be sent.
	first := newWorld(t, map[string]string{"NATS_STORE_DIR": dir, "CALLAB_URL": "http://127.0.0.1:1/v1"})
	body := exampleBody(t, "website-lead.json")
	if status := first.website(body); status != http.StatusAccepted {
		t.Fatalf("answered %d", status)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := newWorld(t, map[string]string{"NATS_STORE_DIR": dir})
	// It may have been dialled before anybody could subscribe: the stream has
	// the result.
	until(t, "the stored result says accepted", func() bool {
		_, out, _ := callbridge(t, "", "results", "--nats", second.process.bus.ClientURL(), "--outcome", "accepted")
		return strings.Contains(out, "lead-1001")
	})
	second.website(body)
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(second.sim.Placed()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestMetricsStandOnTheAdminListenerOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for url, want := range map[string]int{
		w.process.admin.url() + "/metrics":  http.StatusOK,
		w.process.public.url() + "/metrics": http.StatusNotFound,
		w.process.public.url() + "/livez":   http.StatusOK,
		w.process.public.url() + "/readyz":  http.StatusOK,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.do(request); got != want {
			t.Errorf("GET %s answers %d, want %d", url, got, want)
		}
	}
}

func TestNothingShownHoldsASecretOrANumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.website(exampleBody(t, "website-lead.json"))
	w.website(exampleBody(t, "website-lost-answer.json"))
	w.website(exampleBody(t, "website-no-phone.json"))
	for range 3 {
		w.result()
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"5550142", "555-0142", "555 0194", "5550194", demoToken, demoSecrets["WEBSITE_SECRET"]} {
		if strings.Contains(w.logs.String(), hidden) {
			t.Errorf("the log shows %q:\n%s", hidden, w.logs)
		}
	}
}

func TestStartSaysInOneSentenceWhyItCannot(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	running := newWorld(t, nil)
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"no token":         {map[string]string{"CALLAB_TOKEN": ""}, "CALLAB_TOKEN is not set"},
		"no token file":    {map[string]string{"CALLAB_TOKEN": "", "CALLAB_TOKEN_FILE": "nowhere"}, "read CALLAB_TOKEN_FILE"},
		"bad URL":          {map[string]string{"CALLAB_URL": "ftp://example.com"}, "CALLAB_URL"},
		"no certificate":   {map[string]string{"HTTP_TLS_CERT": "nowhere", "HTTP_TLS_KEY": "nowhere"}, "HTTP_TLS_CERT and HTTP_TLS_KEY"},
		"HTTP port taken":  {map[string]string{"HTTP_ADDR": taken.Addr().String()}, "HTTP_ADDR"},
		"admin port taken": {map[string]string{"ADMIN_ADDR": taken.Addr().String()}, "ADMIN_ADDR"},
		"NATS port taken":  {map[string]string{"NATS_LISTEN": taken.Addr().String()}, "NATS_LISTEN"},
		"store in use":     {map[string]string{"NATS_STORE_DIR": running.dir}, "in use by another callbridge"},
		"NATS unreachable": {map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, "NATS_URL cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := environment(t, "http://127.0.0.1:1")
			maps.Copy(env, c.change)
			s, err := loadSettings(t.Context(), envconfig.MapLookuper(env))
			if err != nil {
				t.Fatal(err)
			}
			config, err := exampleConfig()
			if err != nil {
				t.Fatal(err)
			}
			p, err := start(t.Context(), s, fixed(config), slog.New(slog.DiscardHandler))
			if err == nil {
				p.close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q; want one line with %q", err, c.want)
			}
		})
	}
}
