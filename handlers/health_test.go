package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/handlers"
)

func TestReadyMetricMatchesReadyz(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask    func(context.Context) error
		status int
		metric string
	}{
		"ready":     {func(context.Context) error { return nil }, http.StatusOK, "\ncallbridge_ready 1\n"},
		"not ready": {func(context.Context) error { return errors.New("away") }, http.StatusServiceUnavailable, "\ncallbridge_ready 0\n"},
		// A check that blocks: readyTimeout ends it.
		"no answer": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, http.StatusServiceUnavailable, "\ncallbridge_ready 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				health := handlers.Health{Checks: []handlers.Check{{Name: "part", Ask: c.ask}}}
				registry := prometheus.NewRegistry()
				registry.MustRegister(health.Collector())
				admin := handlers.Admin(handlers.Operators{Health: health, Gatherer: registry, Log: slog.New(slog.DiscardHandler)})
				ready := get(admin, "/readyz")
				var body struct{ Ready bool }
				if err := json.Unmarshal(ready.Body.Bytes(), &body); err != nil || ready.Code != c.status || body.Ready != (c.status == http.StatusOK) {
					t.Errorf("readyz answers %d %s (%v), want %d", ready.Code, ready.Body, err, c.status)
				}
				if scrape := get(admin, "/metrics"); scrape.Code != http.StatusOK || !strings.Contains(scrape.Body.String(), c.metric) {
					t.Errorf("the scrape answers %d without %q:\n%s", scrape.Code, c.metric, scrape.Body)
				}
			})
		})
	}
}

func TestOnlyCriticalChecksMakeTheProcessNotReady(t *testing.T) {
	t.Parallel()
	fine := func(context.Context) error { return nil }
	held := func(context.Context) error { return errors.New("the token is refused") }
	for name, c := range map[string]struct {
		nats, dispatch func(context.Context) error
		sources        map[string]string
		code           int
		want           []string
		metrics        []string
	}{
		"all ok": {fine, fine, nil, 200, []string{`"ready":true`, `"status":"ok"`}, []string{"ready 1", `check_ok{check="dispatch"} 1`}},
		"a minor check": {fine, held, nil, 200, []string{`"ready":true`, `"status":"degraded"`, `"dispatch":"the token is refused"`},
			[]string{"ready 1", `check_ok{check="dispatch"} 0`, `check_ok{check="nats"} 1`}},
		"a source": {fine, fine, map[string]string{"crm": "its key is refused"}, 200,
			[]string{`"ready":true`, `"status":"degraded"`, `"sources":{"crm":"its key is refused"}`}, []string{"ready 1"}},
		"a critical check": {held, held, map[string]string{"crm": "its key is refused"}, 503,
			[]string{`"ready":false`, `"status":"not_ready"`, `"crm"`}, []string{"ready 0", `check_ok{check="nats"} 0`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			health := handlers.Health{
				Checks:  []handlers.Check{{Name: "nats", Ask: c.nats}, {Name: "dispatch", Severity: handlers.Minor, Ask: c.dispatch}},
				Sources: func() map[string]string { return c.sources },
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(health.Collector())
			log := slog.New(slog.DiscardHandler)
			admin := handlers.Admin(handlers.Operators{Health: health, Gatherer: registry, Log: log})
			public := handlers.Public(handlers.Intake{Log: log}, health, prometheus.NewRegistry())
			if got := get(public, "/readyz"); got.Code != c.code {
				t.Errorf("in public: answered %d, want %d", got.Code, c.code)
			}
			got := get(admin, "/readyz")
			if got.Code != c.code {
				t.Errorf("answered %d, want %d", got.Code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(got.Body.String(), want) {
					t.Errorf("answered %s, without %s", got.Body, want)
				}
			}
			scrape := get(admin, "/metrics").Body.String()
			for _, want := range c.metrics {
				if !strings.Contains(scrape, "\ncallbridge_"+want+"\n") {
					t.Errorf("the scrape has no %s:\n%s", want, scrape)
				}
			}
		})
	}
}

func get(handler http.Handler, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

// Anybody may ask the public listener: a flood must not reach NATS, and the answer must
// not tell an attacker what is broken.
func TestPublicReadinessIsAskedOnceASecondAndSaysLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, away := 0, errors.New("nats: not connected")
		health := handlers.Health{
			Checks: []handlers.Check{{Name: "nats", Ask: func(context.Context) error { asked++; return away }}},
			Info:   func() map[string]any { return map[string]any{"config_hash": "secret"} },
		}
		public := handlers.Public(handlers.Intake{Log: slog.New(slog.DiscardHandler)}, health, prometheus.NewRegistry())
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := get(public, "/readyz"); got.Code != http.StatusServiceUnavailable || got.Body.String() != "{\"ready\":false}\n" {
					t.Errorf("answered %d %s", got.Code, got.Body)
				}
			})
		}
		all.Wait()
		if asked != 1 {
			t.Errorf("100 requests at once asked %d times", asked)
		}
		away = nil
		time.Sleep(999 * time.Millisecond)
		if got := get(public, "/readyz"); got.Code != http.StatusServiceUnavailable || asked != 1 {
			t.Errorf("within a second: answered %d, asked %d times", got.Code, asked)
		}
		time.Sleep(time.Millisecond)
		if got := get(public, "/readyz"); got.Code != http.StatusOK || got.Body.String() != "{\"ready\":true}\n" || asked != 2 {
			t.Errorf("after a second: answered %d %s, asked %d times", got.Code, got.Body, asked)
		}
	})
}

func TestProfilesAreOnTheAdminListenerOnlyAndOnlyIfAskedFor(t *testing.T) {
	t.Parallel()
	log, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	for name, c := range map[string]struct {
		handler http.Handler
		want    int
	}{
		"asked for": {handlers.Admin(handlers.Operators{Gatherer: registry, Log: log, Profiles: true}), http.StatusOK},
		"admin":     {handlers.Admin(handlers.Operators{Gatherer: registry, Log: log}), http.StatusNotFound},
		"public":    {handlers.Public(handlers.Intake{Log: log}, handlers.Health{}, registry), http.StatusNotFound},
	} {
		for i, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1", "/debug/pprof/symbol"} {
			answer := get(c.handler, path)
			if answer.Code != c.want {
				t.Errorf("%s %s: %d, want %d", name, path, answer.Code, c.want)
			}
			if i == 2 && c.want == http.StatusOK && !strings.Contains(answer.Body.String(), "TestProfilesAreOnTheAdminListener") {
				t.Errorf("%s: no stacks", path)
			}
		}
	}
}

func TestAdminListenerRequiresItsPassword(t *testing.T) {
	t.Parallel()
	password := "the password of the test"
	admin := handlers.Admin(handlers.Operators{
		Gatherer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Profiles: true, Password: func() string { return password },
	})
	ask := func(path, given string) int {
		request, answer := httptest.NewRequest(http.MethodGet, path, nil), httptest.NewRecorder()
		if given != "" {
			request.SetBasicAuth("prometheus", given)
		}
		admin.ServeHTTP(answer, request)
		if answer.Code == http.StatusUnauthorized && (answer.Header().Get("WWW-Authenticate") == "" || password != "" && strings.Contains(answer.Body.String(), password)) {
			t.Errorf("%s: refused with %v %s", path, answer.Header(), answer.Body)
		}
		return answer.Code
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		for given, want := range map[string]int{"": 401, "the password": 401, password + " ": 401, password: 200} {
			if got := ask(path, given); got != want {
				t.Errorf("%s with %q: %d, want %d", path, given, got, want)
			}
		}
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if got := ask(path, ""); got != http.StatusOK {
			t.Errorf("a probe of %s is answered %d", path, got)
		}
	}
	password = "a new one"
	if got := ask("/metrics", password); got != http.StatusOK {
		t.Errorf("with the new password: %d", got)
	}
	password = "" // the file was emptied
	if got := ask("/metrics", ""); got != http.StatusUnauthorized {
		t.Errorf("without any password: %d", got)
	}
}
