package handlers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/handlers"
	"callbridge/internal/testkit"
)

// admin starts an admin listener with one check and returns its URL.
func admin(t *testing.T, ask func(context.Context) error) (url string) {
	t.Helper()
	health := handlers.Health{Checks: []handlers.Check{{Name: "part", Ask: ask}}}
	registry := prometheus.NewRegistry()
	registry.MustRegister(health.Gauge())
	server := httptest.NewServer(handlers.Admin(health, registry, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return server.URL
}

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
			url := admin(t, c.ask)
			ready := testkit.Get(t, url+"/readyz")
			var body struct{ Ready bool }
			ready.Decode(t, &body)
			if ready.Status != c.status || body.Ready != (c.status == http.StatusOK) {
				t.Errorf("readyz answers %d %s, want %d", ready.Status, ready.Body, c.status)
			}
			if scrape := testkit.Get(t, url+"/metrics"); scrape.Status != http.StatusOK || !strings.Contains(scrape.Body, c.metric) {
				t.Errorf("the scrape answers %d without %q:\n%s", scrape.Status, c.metric, scrape.Body)
			}
		})
	}
}

func TestProfilesAreOnTheAdminListenerOnly(t *testing.T) {
	t.Parallel()
	log, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	for name, c := range map[string]struct {
		handler http.Handler
		want    int
	}{
		"admin":  {handlers.Admin(handlers.Health{}, registry, log), http.StatusOK},
		"public": {handlers.Public(handlers.Intake{Log: log}, handlers.Health{}, registry), http.StatusNotFound},
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1", "/debug/pprof/symbol"} {
			answer := httptest.NewRecorder()
			c.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
			if answer.Code != c.want {
				t.Errorf("%s %s: %d, want %d", name, path, answer.Code, c.want)
			}
			if path == "/debug/pprof/goroutine?debug=1" && c.want == http.StatusOK && !strings.Contains(answer.Body.String(), "TestProfilesAreOnTheAdminListenerOnly") {
				t.Errorf("%s: no stacks", path)
			}
		}
	}
}
