package handlers_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

// forgedHeader are headers of a webhook for website that nobody has signed.
func forgedHeader() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "X-Signature": {"sha256=00"}}
}

// exhaust fails for a source until it gets 429, and returns how often it failed before.
func (f *fixture) exhaust(method, path string, header http.Header) (failures int) {
	f.t.Helper()
	for range 200 {
		got := f.do(method, path, lead, header)
		if got.status == http.StatusTooManyRequests {
			if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || got.Error != "too_many_failures" {
				f.t.Fatalf("answered %s, Retry-After %q", got.Error, got.header.Get("Retry-After"))
			}
			return failures
		}
		failures++
	}
	f.t.Fatal("200 failures are not limited")
	return 0
}

// raw sends text over a connection of its own and returns it with a reader for answers.
func (f *fixture) raw(text string) (net.Conn, *bufio.Reader) {
	f.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		f.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func TestNothingIsReadOrVerifiedOverTheLimitOfFailures(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if n := f.exhaust(http.MethodPost, "/webhooks/website", forgedHeader()); n < 30 || n > 40 {
		t.Errorf("limited after %d failures, want 30", n)
	}
	if got := f.website(lead); got.status != http.StatusTooManyRequests {
		t.Errorf("the right signature, found by guessing, is answered %d", got.status)
	}
	// The answer comes before the body: none is sent.
	_, answers := f.raw("POST /webhooks/website HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	got, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil || got.StatusCode != http.StatusTooManyRequests || !got.Close {
		t.Errorf("without its body a webhook is answered %d, closed %t (%v)", got.StatusCode, got.Close, err)
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 0 {
		t.Errorf("%d requests stored", n)
	}
	if got := f.do(http.MethodPost, "/webhooks/batch", `{}`, http.Header{"Content-Type": {"application/json"}}); got.status != http.StatusUnauthorized {
		t.Errorf("a first failure for another source is answered %d", got.status)
	}
}

func TestProvedSenderIsStillVerifiedOverTheLimitOfFailures(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.website(lead)
	f.exhaust(http.MethodPost, "/webhooks/website", forgedHeader())
	if got := f.website(strings.Replace(lead, "lead-1", "lead-2", 1)); got.statuses() != "requested" {
		t.Errorf("the real sender at the address of a forger is answered %d", got.status)
	}
	if got := f.do(http.MethodPost, "/webhooks/website", lead, forgedHeader()); got.status != http.StatusTooManyRequests {
		t.Errorf("the forger is answered %d", got.status)
	}
}

// Lines of a flood: one for each failure below the limit, and one for all 429.
func TestLogLinesOfUnverifiedRequestsAreLimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path, reason string
		status               float64
	}{
		"forged":                      {http.MethodPost, "/webhooks/website", "signature", 401},
		"GET on a source":             {http.MethodGet, "/webhooks/website", "method", 405},
		"a handshake":                 {http.MethodHead, "/webhooks/intercom", "handshake", 200},
		"a refused handshake":         {http.MethodGet, "/webhooks/meta", "handshake_refused", 403},
		"a handshake by POST":         {http.MethodPost, "/webhooks/monday", "signature", 401},
		"unknown source":              {http.MethodPost, "/webhooks/other", "unknown_source", 404},
		"PUT":                         {http.MethodPut, "/webhooks/website", "not_found", 405},
		"unknown path":                {http.MethodPost, "/bridge/webhooks/website", "not_found", 404},
		"a method that nobody serves": {"BREW", "/webhooks/website", "not_found", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupWith(t, presets)
			const many = 80
			limited := 0
			for range many {
				if got := testkit.Do(t, c.method, f.url+c.path, "", forgedHeader()); got.Status == http.StatusTooManyRequests {
					limited++
				} else if got.Status != int(c.status) {
					t.Fatalf("answered %d, want %.0f", got.Status, c.status)
				}
			}
			lines := f.log.Lines(t, many-limited+1)
			if limited < many-40 || len(lines) != many-limited+1 {
				t.Errorf("%d lines and %d answers 429 for %d requests", len(lines), limited, many)
			}
			checkLine(t, "the first", lines[0], map[string]any{"reason": c.reason, "status": c.status})
			checkLine(t, "the last", lines[len(lines)-1], map[string]any{"status": 429.0, "level": "WARN"})
		})
	}
}

func TestEachRequestBesideTheWebhooksIsLoggedAndCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i, c := range []struct {
		path, askedFor string
		status         float64
	}{
		{"//webhooks/website", "//webhooks/website", 404},
		{"/bridge/webhooks/website", "/bridge/webhooks/website", 404},
		{"/webhooks/website//", "/webhooks/website//", 404},
		{"/webhooks/web%2Fsite", "/webhooks/web/site", 404},
		{"/WEBHOOKS/website", "/WEBHOOKS/website", 404},
		{"/webhooks/", "/webhooks/", 404},
		{"/", "/", 404},
		{"/lead/+12025550142", "/lead/+12•••••••42", 404},
		{"/livez", "/livez", 405},
	} {
		got := testkit.Do(t, http.MethodPost, f.url+c.path, lead, signed(lead))
		if float64(got.Status) != c.status || got.Header.Get("Location") != "" {
			t.Errorf("%s: answered %d, to %q", c.path, got.Status, got.Header.Get("Location"))
		}
		checkLine(t, c.path, f.lastLine(), map[string]any{
			"msg": "webhook.received", "source": "unknown", "reason": "not_found", "status": c.status, "asked_for": c.askedFor, "level": "WARN",
		})
		if f.linesRead != i+1 {
			t.Fatalf("%s: %d lines", c.path, f.linesRead)
		}
	}
	for code, want := range map[string]float64{"404": 8, "405": 1} {
		if n := f.count("callbridge_webhooks_total", "unknown", code); n != want {
			t.Errorf("%v requests are counted as %s, want %v", n, code, want)
		}
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 0 {
		t.Errorf("%d requests stored", n)
	}
}

func TestOneSlashAtTheEndIsIgnored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if got := f.do(http.MethodPost, "/webhooks/website/", lead, signed(lead)); got.statuses() != "requested" {
		t.Errorf("answered %d %s", got.status, got.Error)
	}
	checkLine(t, "the line", f.lastLine(), map[string]any{"source": "website", "status": 202.0})
	if got := f.do(http.MethodGet, "/webhooks/website/", "", nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered %d", got.status)
	}
}

// count reads a counter of webhooks.
func (f *fixture) count(metric, source, code string) (n float64) {
	f.t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += l.GetName() + "=" + l.GetValue() + " "
			}
			if family.GetName() == metric && labels == fmt.Sprintf("code=%s source=%s ", code, source) {
				n = m.GetCounter().GetValue()
			}
		}
	}
	return n
}
