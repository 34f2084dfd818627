package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

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
				registry.MustRegister(health.Gauge())
				admin := handlers.Admin(health, registry, slog.New(slog.DiscardHandler))
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

func get(handler http.Handler, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
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
			answer := get(c.handler, path)
			if answer.Code != c.want {
				t.Errorf("%s %s: %d, want %d", name, path, answer.Code, c.want)
			}
			if path == "/debug/pprof/goroutine?debug=1" && c.want == http.StatusOK && !strings.Contains(answer.Body.String(), "TestProfilesAreOnTheAdminListenerOnly") {
				t.Errorf("%s: no stacks", path)
			}
		}
	}
}
