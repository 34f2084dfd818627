package main

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/event"
)

func TestResultsShowsWhatBecameOfEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.website(exampleBody(t, "website-lead.json"))
	w.website(exampleBody(t, "website-no-phone.json"))
	w.result()
	w.result()
	url := w.process.bus.ClientURL()
	// Who subscribes without JetStream may hear of a result before it is stored.
	var out string
	until(t, "both results are stored", func() bool {
		var code int
		code, out, _ = callbridge(t, "", "results", "--nats", url)
		return code == 0 && strings.Count(out, "\n") == 2
	})
	if !strings.Contains(out, "missing_field") || !strings.Contains(out, "lead-1001") {
		t.Errorf("it shows\n%s", out)
	}
	if strings.Contains(out, "5550142") {
		t.Errorf("it shows a number:\n%s", out)
	}
	_, out, _ = callbridge(t, "", "results", "--nats", url, "--outcome", "accepted", "-o", "json")
	var r event.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Outcome != event.Accepted || len(r.Call) == 0 {
		t.Errorf("%v: %s", err, out)
	}
	if code, out, _ := callbridge(t, "", "results", "--nats", url, "--source", "nobody"); code != 0 || out != "" {
		t.Errorf("of nobody: exit code %d: %s", code, out)
	}
	if code, _, errs := callbridge(t, "", "results", "--nats", "nats://127.0.0.1:1"); code != 1 ||
		!strings.Contains(errs, "NATS cannot be reached") || strings.Contains(errs, "NATS_URL") {
		t.Errorf("without NATS: exit code %d: %s", code, errs)
	}
	if code, _, errs := callbridge(t, "", "results", "--nats", url, "--outcome", "acepted"); code != 1 || !strings.Contains(errs, "--outcome acepted: it is one of accepted, ") {
		t.Errorf("an outcome that there is not: exit code %d: %s", code, errs)
	}
}
