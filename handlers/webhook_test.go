package handlers_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestAnswerNamesTheStatusOfEachEvent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		name, body, status, reason, field string
	}{
		{"wanted", lead, "requested", "", ""},
		{"sent again", lead, "duplicate", "", ""},
		{"without consent", `{"id":"lead-2","type":"lead.created","phone":"(202) 555-0142","consent":"no"}`, "skipped", "no_route", ""},
		{"without consent, again", `{"id":"lead-2","type":"lead.created","phone":"(202) 555-0142","consent":"no"}`, "duplicate", "no_route", ""},
		{"without a phone", `{"id":"lead-3","type":"lead.created","consent":true}`, "rejected", "missing_field", "phone"},
		{"with an incomplete phone", `{"id":"lead-4","type":"lead.created","phone":"555","consent":1}`, "rejected", "bad_phone", "phone"},
		{"consent that is not a boolean", `{"id":"lead-5","type":"lead.created","phone":"(202) 555-0142","consent":"perhaps"}`, "rejected", "bad_field", "consent"},
		{"of another type", `{"id":"lead-6","type":"deal.closed"}`, "skipped", "no_route", ""},
	} {
		got := f.website(c.body)
		if got.status != http.StatusAccepted || len(got.Events) != 1 {
			t.Fatalf("%s: answered %d with %d events", c.name, got.status, len(got.Events))
		}
		e := got.Events[0]
		if e.Status != c.status || e.Reason != c.reason || e.Field != c.field {
			t.Errorf("%s: %s (%s, %s), want %s (%s, %s)", c.name, e.Status, e.Reason, e.Field, c.status, c.reason, c.field)
		}
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests stored, want 1", n)
	}
	if n := f.stored("CALLBRIDGE_RESULTS"); n != 5 {
		t.Errorf("%d results stored, want 5: one for each event that makes no call", n)
	}
}

func TestConcurrentDuplicatesMakeOneRequest(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const deliveries = 60
	statuses := make([]string, deliveries)
	var all sync.WaitGroup
	for i := range deliveries {
		all.Go(func() { statuses[i] = f.website(lead).statuses() })
	}
	all.Wait()
	count := map[string]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count["requested"] != 1 || count["duplicate"] != deliveries-1 {
		t.Errorf("answered %v, want 1 requested and %d duplicate", count, deliveries-1)
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests stored, want 1", n)
	}
}

func TestBatchIsAnsweredEventByEvent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	events := make([]string, 100)
	for i := range events {
		events[i] = fmt.Sprintf(`{"id":"lead-%d","phone":"+12025550142"}`, i)
	}
	events[7] = `{"phone":"+12025550142"}` // without an id, so without a key
	events[8] = events[9]
	got := f.batch(`{"events":[` + strings.Join(events, ",") + `]}`)
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
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 98 {
		t.Errorf("%d requests stored, want 98", n)
	}
}

func TestInvalidWebhooksAreRefusedAndNotStored(t *testing.T) {
	t.Parallel()
	f := setup(t)
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
		"unknown source":  {http.MethodPost, "/webhooks/unconfigured", lead, signed(lead), 404, "unknown_source"},
		"an image":        {http.MethodPost, "/webhooks/website", lead, image, 415, "media_type"},
		"compressed":      {http.MethodPost, "/webhooks/website", lead, compressed, 415, "content_encoding"},
		"GET":             {http.MethodGet, "/webhooks/website", "", http.Header{}, 405, "method_not_allowed"},
		"elsewhere":       {http.MethodPost, "/webhook/website", lead, signed(lead), 404, "not_found"},
	} {
		got := f.do(c.method, c.path, c.body, c.header)
		if got.status != c.status || got.Error != c.word {
			t.Errorf("%s: answered %d %s, want %d %s", name, got.status, got.Error, c.status, c.word)
		}
	}
	if n := f.stored("CALLBRIDGE_REQUESTS") + f.stored("CALLBRIDGE_RESULTS"); n != 0 {
		t.Errorf("%d messages stored, want none", n)
	}
}

func TestAnswersEndWithANewline(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodPost, "/webhooks/website", lead, 202},
		{http.MethodPost, "/webhooks/website", "{", 400},
		{http.MethodPost, "/webhooks/batch", "{}", 401},
		{http.MethodPost, "/webhooks/unconfigured", "{}", 404},
		{http.MethodPost, "/elsewhere", "{}", 404},
		{http.MethodGet, "/webhooks/website", "", 405},
		{http.MethodGet, "/livez", "", 200},
		{http.MethodGet, "/readyz", "", 200},
	} {
		got := testkit.Do(t, c.method, f.url+c.path, c.body, signed(c.body))
		if got.Status != c.status || !strings.HasSuffix(got.Body, "}\n") || strings.Count(got.Body, "\n") != 1 {
			t.Errorf("%s %s is answered %d %q, want %d and one line", c.method, c.path, got.Status, got.Body, c.status)
		}
	}
}

func TestEmptyBodyIsNamedInTheMessage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	untyped := signed("")
	untyped.Del("Content-Type")
	for name, header := range map[string]http.Header{"JSON": signed(""), "no Content-Type": untyped} {
		if got := f.do(http.MethodPost, "/webhooks/website", "", header); got.status != 400 || got.Error != "unreadable" || got.Message != "the body is empty" {
			t.Errorf("%s: answered %d %s: %s", name, got.status, got.Error, got.Message)
		}
	}
	if got := f.website("{"); got.Message != "the body does not match its Content-Type" {
		t.Errorf("half an object: %s", got.Message)
	}
}

func TestTooManyEventsAreNamedInTheMessage(t *testing.T) {
	t.Parallel()
	f := setupWith(t, strings.Replace(config, "split: events[*]", "split: events[*]\n    max_events: 2", 1))
	got := f.batch(`{"events":[{"id":"a"},{"id":"b"},{"id":"c"}]}`)
	if got.status != 400 || got.Error != "unreadable" || got.Message != "the delivery has more events than max_events" {
		t.Errorf("three events: answered %d %s: %s", got.status, got.Error, got.Message)
	}
	if got := f.batch(`{"events":[{"id":"a"},{"id":"b"}]}`); got.status != 202 {
		t.Errorf("two events: answered %d %s: %s", got.status, got.Error, got.Message)
	}
}

func TestUnreachableBusIsA503(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.bus.Conn().Close()
	got := f.website(lead)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" {
		t.Errorf("answered %d, Retry-After %q; want 503 and 5", got.status, got.header.Get("Retry-After"))
	}
	if ready := f.do(http.MethodGet, "/readyz", "", http.Header{}); ready.status != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d, want 503", ready.status)
	}
	if live := f.do(http.MethodGet, "/livez", "", http.Header{}); live.status != http.StatusOK {
		t.Errorf("livez answers %d, want 200", live.status)
	}
}

func TestLogHasNoSecretAndNoPhoneNumber(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.website(lead)
	f.website(`{"id":"x","type":"lead.created","phone":"2025550177","consent":true} trailing`)
	forged := signed(lead)
	forged.Set("X-Signature", "sha256=0123456789abcdef")
	f.do(http.MethodPost, "/webhooks/website", lead, forged)
	f.do(http.MethodPost, "/webhooks/+12025550142", lead, forged)
	f.log.Lines(t, 4)
	// A trace id is random and may contain the digits that are searched for.
	logs := regexp.MustCompile(`"trace_id":"[0-9a-f]{32}"`).ReplaceAllString(f.log.String(), `"trace_id":""`)
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

func compress(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, body)
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCompressedBodiesAreDecompressedBeforeVerification(t *testing.T) {
	t.Parallel()
	f := setupWith(t, presets)
	const lead = `{"event_id":"compressed","phone":"+12025550142"}`
	tooMuch := `{"event_id":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range []struct {
		name, encoding, body, signed string
		status                       int
	}{
		{"gzip", "gzip", compress(t, lead), lead, 202},
		{"signature of the compressed bytes", "gzip", compress(t, lead), compress(t, lead), 401},
		{"decompresses to more than the limit", "gzip", compress(t, tooMuch), tooMuch, 413},
		{"decompresses to far more than the limit", "gzip", compress(t, strings.Repeat("\x00", 1<<26)), "", 413},
		{"not gzip", "gzip", lead, lead, 400},
		{"cut off", "gzip", compress(t, lead)[:30], lead, 400},
		{"unsupported coding", "br", lead, lead, 415},
		{"two codings", "gzip, gzip", compress(t, compress(t, lead)), lead, 415},
		{"no coding", "identity", lead, lead, 202},
	} {
		header := signed(c.signed)
		header.Set("Content-Encoding", c.encoding)
		if got := testkit.Do(t, http.MethodPost, f.url+"/webhooks/website", c.body, header); got.Status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, got.Status, got.Body, c.status)
		}
	}
}

const lookupConfig = `
sources:
  batch:
    verify: {kind: token, header: X-Token, values: ["${SECRET}"]}
    split: events[*]
    key: body:id
    type: body:type
    lookup: {url: "https://crm.example.com/contacts/{{contact}}", auth: {kind: bearer, token: "${SECRET}"}}
    fields:
      contact: {path: contact}
      tenant: {path: "header:X-Tenant", optional: true}
      phone: {path: [phone, "lookup:phone"], type: phone}
routes:
  - {name: all, source: batch, mode: live, purpose: service, policy: {countries: [US]}, when: type == "created", call: {call_to: phone, notes: "{{tenant|-}}"}}
`

func TestEventThatNeedsALookupIsStoredAsPending(t *testing.T) {
	t.Parallel()
	f := setupWith(t, lookupConfig)
	const body = `{"events":[{"id":"a","type":"created","contact":5},{"id":"b","type":"deleted","contact":5},{"id":"c","type":"created","contact":6,"phone":"+12025550142"}]}`
	for _, want := range []string{"pending skipped requested", "duplicate duplicate duplicate"} {
		if got := f.batch(body); got.status != 202 || got.statuses() != want {
			t.Errorf("answered %d %s, want %s", got.status, got.statuses(), want)
		}
	}
	stream, err := f.js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	id := event.EventID("batch", "a")
	msg, err := stream.GetLastMsgForSubject(t.Context(), "callbridge.lookup.batch."+id.String())
	if err != nil {
		t.Fatal(err)
	}
	var p event.Pending
	if err := json.Unmarshal(msg.Data, &p); err != nil {
		t.Fatal(err)
	}
	if p.Event.ID != id || p.Event.Type != "created" || p.Event.Received.IsZero() || strings.Contains(string(msg.Data), secret) {
		t.Errorf("stored as pending: %s", msg.Data)
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 2 {
		t.Errorf("%d messages stored, want an event and a request", n)
	}
	checkLine(t, "the first delivery", f.log.Lines(t, 1)[0], map[string]any{"pending": 1.0})
}

func TestAddressIsTakenFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	for proxies, want := range map[string]string{"": "127.0.0.1", "127.0.0.1": "198.51.100.7", "127.0.0.0/8": "198.51.100.7", "192.0.2.0/24": "127.0.0.1"} {
		f := setupWith(t, config, strings.Fields(proxies)...)
		header := signed(lead)
		// The sender may write the first address; the proxy appends the last.
		header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
		f.do(http.MethodPost, "/webhooks/website", lead, header)
		checkLine(t, "with proxies "+proxies, f.lastLine(), map[string]any{"remote": want})
	}
}
