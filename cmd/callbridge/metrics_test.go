package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestAcceptedCallTellsTheSpeedToLead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range 2 {
		if status := w.website(exampleBody(t, "website-lead.json")); status != http.StatusAccepted {
			t.Fatalf("answered %d", status)
		}
	}
	w.result()
	for _, want := range []string{
		"callbridge_speed_to_lead_seconds_count 1\n",
		`callbridge_decisions_total{outcome="requested",reason=""} 1` + "\n",
		"callbridge_duplicates_total 1\n",
		`callbridge_build_info{goversion="go`,
	} {
		until(t, "the scrape has "+want, func() bool { return strings.Contains(w.scrape(), want) })
	}
}

// TestReadyIsAMetric: Prometheus sees what a probe sees.
func TestReadyIsAMetric(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	until(t, "ready, and the scrape says so", func() bool { return w.ready() && strings.Contains(w.scrape(), "callbridge_ready 1\n") })
	w.process.bus.Conn().Close()
	if scrape := w.scrape(); w.ready() || !strings.Contains(scrape, "callbridge_ready 0\n") {
		t.Errorf("without NATS, a scrape does not say that it is not ready:\n%s", scrape)
	}
}
