package handlers_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/handlers"
)

func TestProfilesAreForOperatorsOnly(t *testing.T) {
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
			if path == "/debug/pprof/goroutine?debug=1" && c.want == http.StatusOK && !strings.Contains(answer.Body.String(), "TestProfilesAreForOperatorsOnly") {
				t.Errorf("%s: no stacks", path)
			}
		}
	}
}
