package handlers_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"callbridge/event"
)

func TestWebhookIsAcknowledgedWithWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name, body, status, reason, field string
	}{
		{"wanted", lead, "requested", "", ""},
		{"sent again", lead, "duplicate", "", ""},
		{"without consent", `{"id":"lead-2","type":"lead.created","phone":"(202) 555-0142","consent":"no"}`, "skipped", "no_route", ""},
		{"without consent, again", `{"id":"lead-2","type":"lead.created","phone":"(202) 555-0142","consent":"no"}`, "duplicate", "no_route", ""},
		{"without a phone", `{"id":"lead-3","type":"lead.created","consent":true}`, "rejected", "missing_field", "phone"},
		{"with half a phone", `{"id":"lead-4","type":"lead.created","phone":"555","consent":1}`, "rejected", "bad_phone", "phone"},
		{"consent that is neither yes nor no", `{"id":"lead-5","type":"lead.created","phone":"(202) 555-0142","consent":"perhaps"}`, "rejected", "bad_field", "consent"},
		{"of another kind", `{"id":"lead-6","type":"deal.closed"}`, "skipped", "no_route", ""},
	} {
		got := w.website(c.body)
		if got.status != http.StatusAccepted || len(got.Events) != 1 {
			t.Fatalf("%s: answered %d with %d events", c.name, got.status, len(got.Events))
		}
		e := got.Events[0]
		if e.Status != c.status || e.Reason != c.reason || e.Field != c.field {
			t.Errorf("%s: %s (%s, %s), want %s (%s, %s)", c.name, e.Status, e.Reason, e.Field, c.status, c.reason, c.field)
		}
	}
	if n := w.stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests stored, want 1", n)
	}
	if n := w.stored("CALLBRIDGE_RESULTS"); n != 5 {
		t.Errorf("%d results stored, want 5: one for each event that makes no call", n)
	}
}

func TestWebhookSentManyTimesAtOnceMakesOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const deliveries = 50
	statuses := make([]string, deliveries)
	var all sync.WaitGroup
	for i := range deliveries {
		all.Go(func() { statuses[i] = w.website(lead).statuses() })
	}
	all.Wait()
	count := map[string]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count["requested"] != 1 || count["duplicate"] != deliveries-1 {
		t.Errorf("answered %v, want 1 requested and %d duplicate", count, deliveries-1)
	}
	if n := w.stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests stored, want 1", n)
	}
}

func TestBatchIsOneAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events := make([]string, 100)
	for i := range events {
		events[i] = fmt.Sprintf(`{"id":"lead-%d","phone":"+12025550142"}`, i)
	}
	events[7] = `{"phone":"+12025550142"}` // no id: nothing names it
	events[8] = events[9]
	got := w.batch(`{"events":[` + strings.Join(events, ",") + `]}`)
	if got.status != http.StatusAccepted || len(got.Events) != 100 {
		t.Fatalf("answered %d with %d events", got.status, len(got.Events))
	}
	for i, e := range got.Events {
		want := "requested"
		switch i {
		case 7:
			want = "rejected"
		case 9:
			want = "duplicate"
		}
		if e.Status != want {
			t.Errorf("event %d is %s, want %s", i, e.Status, want)
		}
	}
	if n := w.stored("CALLBRIDGE_REQUESTS"); n != 98 {
		t.Errorf("%d requests stored, want 98", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forged := signed(lead)
	forged.Set("X-Signature", strings.Replace(forged.Get("X-Signature"), "sha256=", "sha256=0", 1))
	compressed := signed(lead)
	compressed.Set("Content-Encoding", "br")
	image := signed(lead)
	image.Set("Content-Type", "image/png")
	large := strings.Repeat("x", 2<<20)
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		status             int
		word               string
	}{
		"wrong signature": {http.MethodPost, "/webhooks/website", lead, forged, 401, "signature"},
		"no signature":    {http.MethodPost, "/webhooks/website", lead, http.Header{}, 401, "signature"},
		"no body":         {http.MethodPost, "/webhooks/website", "", signed(""), 400, "unreadable"},
		"not JSON":        {http.MethodPost, "/webhooks/website", "{", signed("{"), 400, "unreadable"},
		"2 MiB":           {http.MethodPost, "/webhooks/website", large, signed(large), 413, "too_large"},
		"unknown source":  {http.MethodPost, "/webhooks/nobody", lead, signed(lead), 404, "unknown_source"},
		"an image":        {http.MethodPost, "/webhooks/website", lead, image, 415, "media_type"},
		"compressed":      {http.MethodPost, "/webhooks/website", lead, compressed, 415, "content_encoding"},
		"GET":             {http.MethodGet, "/webhooks/website", "", http.Header{}, 405, "method_not_allowed"},
		"elsewhere":       {http.MethodPost, "/webhook/website", lead, signed(lead), 404, "not_found"},
	} {
		got := w.do(c.method, c.path, c.body, c.header)
		if got.status != c.status || got.Error != c.word {
			t.Errorf("%s: answered %d %s, want %d %s", name, got.status, got.Error, c.status, c.word)
		}
	}
	if n := w.stored("CALLBRIDGE_REQUESTS") + w.stored("CALLBRIDGE_RESULTS"); n != 0 {
		t.Errorf("%d messages stored, want none", n)
	}
}

// TestAnswersAreLines: a shell's prompt does not stand behind them.
func TestAnswersAreLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodPost, "/webhooks/website", lead, 202},
		{http.MethodPost, "/webhooks/website", "{", 400},
		{http.MethodPost, "/webhooks/batch", "{}", 401},
		{http.MethodPost, "/webhooks/nobody", "{}", 404},
		{http.MethodPost, "/elsewhere", "{}", 404},
		{http.MethodGet, "/webhooks/website", "", 405},
		{http.MethodGet, "/livez", "", 200},
		{http.MethodGet, "/readyz", "", 200},
	} {
		response, text := w.raw(c.method, c.path, c.body, signed(c.body))
		if response.StatusCode != c.status || !strings.HasSuffix(text, "}\n") || strings.Count(text, "\n") != 1 {
			t.Errorf("%s %s is answered %d %q, want %d and one line", c.method, c.path, response.StatusCode, text, c.status)
		}
	}
}

func TestEmptyBodyIsCalledEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	untyped := signed("")
	untyped.Del("Content-Type")
	for name, header := range map[string]http.Header{"JSON": signed(""), "no Content-Type": untyped} {
		if got := w.do(http.MethodPost, "/webhooks/website", "", header); got.status != 400 || got.Error != "unreadable" || got.Message != "the body is empty" {
			t.Errorf("%s: answered %d %s: %s", name, got.status, got.Error, got.Message)
		}
	}
	if got := w.website("{"); got.Message != "the body is not what its Content-Type says" {
		t.Errorf("half an object: %s", got.Message)
	}
}

func TestBusThatIsAwayIsA503(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bus.Conn().Close()
	got := w.website(lead)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" {
		t.Errorf("answered %d, Retry-After %q; want 503 and 5", got.status, got.header.Get("Retry-After"))
	}
	if ready := w.do(http.MethodGet, "/readyz", "", http.Header{}); ready.status != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d, want 503", ready.status)
	}
	if live := w.do(http.MethodGet, "/livez", "", http.Header{}); live.status != http.StatusOK {
		t.Errorf("livez answers %d, want 200", live.status)
	}
}

func TestLogHoldsNoSecretAndNoNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.website(lead)
	w.website(`{"id":"x","type":"lead.created","phone":"2025550177","consent":true} trailing`)
	forged := signed(lead)
	forged.Set("X-Signature", "sha256=0123456789abcdef")
	w.do(http.MethodPost, "/webhooks/website", lead, forged)
	w.do(http.MethodPost, "/webhooks/+12025550142", lead, forged)
	// A trace id is drawn by lot, and may have any four digits.
	logs := regexp.MustCompile(`"trace_id":"[0-9a-f]{32}"`).ReplaceAllString(w.logs.await(t, 4), `"trace_id":""`)
	for _, hidden := range []string{secret, "0142", "0177", "0123456789abcdef", signed(lead).Get("X-Signature")} {
		if strings.Contains(logs, hidden) {
			t.Errorf("the log shows %q:\n%s", hidden, logs)
		}
	}
	if n := strings.Count(logs, `"webhook.received"`); n != 4 {
		t.Errorf("%d lines for 4 webhooks:\n%s", n, logs)
	}
	if !strings.Contains(logs, event.EventID("website", "lead-1").String()) {
		t.Error("the log does not name the event")
	}
}
