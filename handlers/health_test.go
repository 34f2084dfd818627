package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/handlers"
)

// admin serves the admin listener of a process with one check.
func admin(t *testing.T, ask func(context.Context) error) (says func(path string) (int, string)) {
	t.Helper()
	health := handlers.Health{Checks: []handlers.Check{{Name: "part", Ask: ask}}}
	registry := prometheus.NewRegistry()
	registry.MustRegister(health.Gauge())
	server := httptest.NewServer(handlers.Admin(health, registry, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return func(path string) (int, string) {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
}

func TestScrapeSaysWhatReadyzSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask    func(context.Context) error
		status int
		metric string
	}{
		"ready":     {func(context.Context) error { return nil }, http.StatusOK, "\ncallbridge_ready 1\n"},
		"not ready": {func(context.Context) error { return errors.New("away") }, http.StatusServiceUnavailable, "\ncallbridge_ready 0\n"},
		// A check that would wait forever: each answer comes all the same.
		"no answer": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, http.StatusServiceUnavailable, "\ncallbridge_ready 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			says := admin(t, c.ask)
			status, text := says("/readyz")
			var body struct{ Ready bool }
			if err := json.Unmarshal([]byte(text), &body); err != nil || status != c.status || body.Ready != (c.status == http.StatusOK) {
				t.Errorf("readyz answers %d %s (%v), want %d", status, text, err, c.status)
			}
			if status, text := says("/metrics"); status != http.StatusOK || !strings.Contains(text, c.metric) {
				t.Errorf("the scrape answers %d without %q:\n%s", status, c.metric, text)
			}
		})
	}
}
