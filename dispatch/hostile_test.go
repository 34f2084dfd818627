package dispatch_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/event"
)

// answering serves the simulator's list, and the same bytes as the answer to
// every create call, which is not placed.
func (f *fixture) answering(raw string, drip time.Duration) (url string, posts *atomic.Int64) {
	posts = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			f.sim.ServeHTTP(w, r)
			return
		}
		posts.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			f.t.Error(err)
			return
		}
		defer conn.Close()
		for drip > 0 && raw != "" {
			if _, err := conn.Write([]byte(raw[:1])); err != nil {
				return
			}
			raw = raw[1:]
			<-time.After(drip)
		}
		_, _ = conn.Write([]byte(raw))
	}))
	f.t.Cleanup(server.Close)
	return server.URL, posts
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// TestHostileAnswersPlaceNoSecondCall: an answer that proves nothing leads to
// unknown, whatever its form. One that has a call is accepted, and what it holds
// beside the call does no harm to readers of the result.
func TestHostileAnswersPlaceNoSecondCall(t *testing.T) {
	t.Parallel()
	const head, zipped = "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
	data := func(members string) string { return `{"status":"ok","data":{` + members + `}}` }
	good := data(`"id":"7d1b","call_to":"+12025550142"`)
	redirected := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(redirected.Close)
	unknown, created, refused := event.ReasonNotFound, event.ReasonCreated, event.ReasonRefused
	for name, c := range map[string]struct {
		raw  string
		drip time.Duration
		want event.Reason
	}{
		"good":                           {head + good, 0, created},
		"number of another form":         {head + data(`"id":"7d1b","call_to":"1 (202) 555-0142"`), 0, created},
		"large":                          {head + data(`"id":"7d1b","transcript":"`+strings.Repeat("x", 900_000)+`"`), 0, created},
		"9,990 levels":                   {head + data(`"id":"7d1b","x":`+strings.Repeat("[", 9_990)+strings.Repeat("]", 9_990)), 0, created},
		"number of 500,000 digits":       {head + data(`"id":"7d1b","cost":`+strings.Repeat("9", 500_000)), 0, created},
		"wrong types":                    {head + data(`"id":"7d1b","call_to":7,"metadata":"x","created_at":{}`), 0, created},
		"too large":                      {head + data(`"id":"7d1b","x":"`+strings.Repeat("x", 3<<20)+`"`), 0, unknown},
		"20,000 levels":                  {head + data(`"id":"7d1b","x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), 0, unknown},
		"HTML":                           {head + "<html><body>It works!</body></html>", 0, unknown},
		"nothing":                        {"", 0, unknown},
		"slow":                           {head + good, 50 * time.Millisecond, unknown},
		"302":                            {"HTTP/1.1 302 Found\r\nLocation: " + redirected.URL + "\r\n\r\n", 0, unknown},
		"307":                            {"HTTP/1.1 307 Temporary Redirect\r\nLocation: " + redirected.URL + "\r\n\r\n" + good, 0, unknown},
		"308":                            {"HTTP/1.1 308 Permanent Redirect\r\nLocation: " + redirected.URL + "\r\n\r\n" + good, 0, unknown},
		"id with a line break":           {head + data(`"id":"7d1b\ncall.attempted"`), 0, unknown},
		"id with an escape sequence":     {head + data(`"id":"7d1b\u001b[2J"`), 0, unknown},
		"id that turns the text":         {head + data(`"id":"7d1b\u202e"`), 0, unknown},
		"id of 500 kB":                   {head + data(`"id":"`+strings.Repeat("7", 500_000)+`"`), 0, unknown},
		"id of 129 characters":           {head + data(`"id":"`+strings.Repeat("7", 129)+`"`), 0, unknown},
		"id that is a number":            {head + data(`"id":7`), 0, unknown},
		"id with invalid UTF-8":          {head + data("\"id\":\"7d1b\xff\""), 0, unknown},
		"call to another number":         {head + data(`"id":"7d1b","call_to":"+12025550143"`), 0, unknown},
		"call of another request":        {head + data(`"id":"7d1b","metadata":{"callbridge_request_id":"00000000-0000-5000-8000-000000000000"}`), 0, unknown},
		"gzip that was not asked for":    {zipped + packed(good), 0, unknown},
		"truncated gzip":                 {zipped + packed(good)[:20], 0, unknown},
		"gzip bomb":                      {zipped + packed(strings.Repeat(" ", 50<<20)), 0, unknown},
		"1xx flood":                      {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50_000), 0, unknown},
		"101":                            {"HTTP/1.1 101 Switching Protocols\r\n\r\n" + good, 0, unknown},
		"garbage after the answer":       {head + good + "x", 0, unknown},
		"two answers":                    {head + good + good, 0, unknown},
		"endless header":                 {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 3<<20), 0, unknown},
		"length too long":                {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + good, 0, unknown},
		"length negative":                {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + good, 0, unknown},
		"two lengths":                    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + good, 0, unknown},
		"broken chunk":                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n" + good, 0, unknown},
		"not HTTP":                       {"SSH-2.0-OpenSSH_9.6\r\n", 0, unknown},
		"400 with a call":                {"HTTP/1.1 400 Bad Request\r\n\r\n" + good, 0, unknown},
		"403 with a call":                {"HTTP/1.1 403 Forbidden\r\n\r\n" + good, 0, unknown},
		"429 with a call":                {"HTTP/1.1 429 Too Many Requests\r\n\r\n" + good, 0, unknown},
		"200 error with a call":          {head + strings.Replace(good, `"ok"`, `"error"`, 1), 0, unknown},
		"400 with HTML and a bare quote": {"HTTP/1.1 400 Bad Request\r\n\r\n<html>\"", 0, refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			url, posts := f.answering(c.raw, c.drip)
			f.runOn(f.bus, url, fast(), func() string { return token })
			f.send(request("lead-1", "+12025550142"))
			got := f.result()
			if got.Reason != c.want {
				t.Errorf("ended %s (%s: %.200s), want %s", got.Outcome, got.Reason, got.Detail, c.want)
			}
			if got.Outcome == event.Accepted && (len(got.Call) > 256<<10 || !strings.Contains(string(got.Call), `"7d1b"`) ||
				strings.Contains(string(got.Call), strings.Repeat("[", 200)) || strings.Contains(string(got.Call), strings.Repeat("9", 200))) {
				t.Errorf("the result holds %d bytes of the answer: %.100s", len(got.Call), got.Call)
			}
			f.done()
			if n := posts.Load(); n != 1 || len(f.results) != 0 {
				t.Errorf("%d create calls and %d more results, want 1 and 0", n, len(f.results))
			}
		})
	}
}
