package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// lastLine is the newest line of the log, once it is another than before.
func (w *world) lastLine() map[string]any {
	w.t.Helper()
	lines := strings.Split(strings.TrimSpace(w.logs.next(w.t)), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		w.t.Fatal(err)
	}
	return line
}

// holds compares some of the attributes; nil stands for one that is not there.
func holds(t *testing.T, name string, line, want map[string]any) {
	t.Helper()
	for attribute, value := range want {
		if line[attribute] != value {
			t.Errorf("%s: the line says %s %v, want %v", name, attribute, line[attribute], value)
		}
	}
}

func TestLogSaysWhyNobodyIsCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name, body string
		want       map[string]any
	}{
		{"without a phone", `{"id":"a","type":"lead.created","consent":true}`,
			map[string]any{"rejected": 1.0, "reason": "missing_field", "field": "phone", "level": "INFO"}},
		{"without consent", `{"id":"b","type":"lead.created","phone":"(202) 555-0142","consent":"no"}`,
			map[string]any{"skipped": 1.0, "reason": "no_route", "field": nil, "level": "INFO"}},
		{"again", `{"id":"a","type":"lead.created","consent":true}`, map[string]any{"duplicate": 1.0, "reason": nil, "field": nil}},
		{"called", lead, map[string]any{"requested": 1.0, "reason": nil, "field": nil}},
	} {
		w.website(c.body)
		holds(t, c.name, w.lastLine(), c.want)
	}
	// Of several, a rejection tells more than a skip, and the first of them.
	w.batch(`{"events":[{"id":"c","phone":"+12025550142"},{"id":"d","phone":"555"},{"id":"e"}]}`)
	holds(t, "a batch", w.lastLine(), map[string]any{"requested": 1.0, "rejected": 2.0, "reason": "bad_phone", "field": "phone"})
	w.bus.Conn().Close()
	w.website(`{"id":"f","type":"lead.created","consent":true}`)
	holds(t, "without NATS", w.lastLine(), map[string]any{"status": 503.0, "reason": "bus", "field": nil, "rejected": nil})
}

// The log may be a pipe that nobody reads just now, or wait for the disk.
func TestAnswerDoesNotWaitForTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.logs.mu.Lock()
	late := time.AfterFunc(20*time.Second, w.logs.mu.Unlock)
	got := w.website(lead)
	if !late.Stop() {
		t.Fatal("the answer has waited for the log")
	}
	w.logs.mu.Unlock()
	if got.statuses() != "requested" || got.header.Get("Content-Length") == "" {
		t.Errorf("answered %d, %q, with a length of %q", got.status, got.statuses(), got.header.Get("Content-Length"))
	}
	holds(t, "the line", w.lastLine(), map[string]any{"status": 202.0, "requested": 1.0})
}

func TestLogNamesAnUnknownSourceSafely(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]string{
		"hubspto":                      "hubspto",
		"HubSpot_v2.eu":                "HubSpot_v2.eu",
		"+12025550142":                 "?###########",
		"lead-202-555-0142":            "lead-###-###-####",
		"a%22%0A%E2%80%AE%3Cb%3E":      "a????b?",
		strings.Repeat("x", 100):       strings.Repeat("x", 40) + "…",
		strings.Repeat("%E2%82%AC", 9): strings.Repeat("?", 9),
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			w.raw(method, "/webhooks/"+path, "", nil)
			holds(t, method+" "+path, w.lastLine(), map[string]any{"source": "unknown", "reason": "unknown_source", "asked_for": want})
		}
	}
	w.website(lead)
	holds(t, "a known one", w.lastLine(), map[string]any{"source": "website", "asked_for": nil})
}
