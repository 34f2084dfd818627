package main

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestResultsPrintsStoredResults(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	b.website(exampleBody(t, "website-lead.json"))
	b.website(exampleBody(t, "website-no-phone.json"))
	b.result()
	b.result()
	url := b.process.bus.UserURL("reader")
	// A subscriber of core NATS may receive a result before JetStream has stored it.
	var out string
	testkit.Eventually(t, "both results are stored", func() bool {
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
	if code, out, _ := callbridge(t, "", "results", "--nats", url, "--source", "other"); code != 0 || out != "" {
		t.Errorf("of another source: exit code %d: %s", code, out)
	}
	if code, _, errs := callbridge(t, "", "results", "--nats", "nats://127.0.0.1:1"); code != 1 ||
		!strings.Contains(errs, "NATS cannot be reached") || strings.Contains(errs, "NATS_URL") {
		t.Errorf("without NATS: exit code %d: %s", code, errs)
	}
	if code, _, errs := callbridge(t, "", "results", "--nats", url, "--outcome", "acepted"); code != 1 || !strings.Contains(errs, "--outcome acepted: it is one of accepted, ") {
		t.Errorf("an outcome that there is not: exit code %d: %s", code, errs)
	}
}

func TestReadmeListsEveryOutcome(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes {
		if !strings.Contains(testkit.Read(t, "README.md"), "\n| `"+o+"` |") {
			t.Errorf("the outcome %s is missing", o)
		}
	}
}
