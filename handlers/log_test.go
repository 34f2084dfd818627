package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

func TestLogSaysWhyThereIsNoCall(t *testing.T) {
	t.Parallel()
	f := setup(t)
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
		f.website(c.body)
		checkLine(t, c.name, f.lastLine(), c.want)
	}
	// A batch logs the reason of its first rejected event.
	f.batch(`{"events":[{"id":"c","phone":"+12025550142"},{"id":"d","phone":"555"},{"id":"e"}]}`)
	checkLine(t, "a batch", f.lastLine(), map[string]any{"requested": 1.0, "rejected": 2.0, "reason": "bad_phone", "field": "phone"})
	f.bus.Conn().Close()
	f.website(`{"id":"f","type":"lead.created","consent":true}`)
	checkLine(t, "without NATS", f.lastLine(), map[string]any{"status": 503.0, "reason": "bus", "field": nil, "rejected": nil})
}

// Writing the log may block: on a full pipe, or on the disk.
func TestAnswerDoesNotWaitForTheLog(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.logging.Lock()
	late := time.AfterFunc(20*time.Second, f.logging.Unlock)
	got := f.website(lead)
	if !late.Stop() {
		t.Fatal("the answer waited for the log")
	}
	f.logging.Unlock()
	if got.statuses() != "requested" || got.header.Get("Content-Length") == "" {
		t.Errorf("answered %d, %q, with a length of %q", got.status, got.statuses(), got.header.Get("Content-Length"))
	}
	checkLine(t, "the line", f.lastLine(), map[string]any{"status": 202.0, "requested": 1.0})
}

func TestLogSanitizesUnknownSourceNames(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for path, want := range map[string]string{
		"hubspto":                      "hubspto",
		"HubSpot_v2.eu":                "HubSpot_v2.eu",
		"+12025550142":                 "+12•••••••42",
		"lead-202-555-0142":            "lead-20••••••42",
		"a%22%0A%E2%80%AE%3Cb%3E":      `a" <b>`,
		strings.Repeat("x", 100):       strings.Repeat("x", 63) + "…",
		strings.Repeat("%E2%82%AC", 9): strings.Repeat("€", 9),
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			testkit.Do(t, method, f.url+"/webhooks/"+path, "", nil)
			checkLine(t, method+" "+path, f.lastLine(), map[string]any{"source": "unknown", "reason": "unknown_source", "asked_for": want})
		}
	}
	f.website(lead)
	checkLine(t, "a known one", f.lastLine(), map[string]any{"source": "website", "asked_for": nil})
}
