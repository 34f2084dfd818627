package dispatch

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/dispatch/record"
	"callbridge/event"
)

func TestClassifyDecidesEveryAnswer(t *testing.T) {
	t.Parallel()
	const attempts = 3
	for name, c := range map[string]struct {
		answer  callab.Answer
		attempt int
		want    verdict
	}{
		"accepted": {callab.Answer{Outcome: callab.Accepted, HTTPStatus: 200}, 1,
			verdict{state: record.Accepted, reason: event.ReasonCreated, api: accepted}},
		"refused in a 200": {callab.Answer{Outcome: callab.Refused, HTTPStatus: 200, Message: "no such agent"}, 1,
			verdict{state: record.Rejected, reason: event.ReasonRefused, detail: "no such agent", api: accepted}},
		"refused with 422": {callab.Answer{Outcome: callab.Refused, HTTPStatus: 422}, 3,
			verdict{state: record.Rejected, reason: event.ReasonRefused, api: accepted}},
		"401 is not the fault of the request": {callab.Answer{Outcome: callab.Refused, HTTPStatus: 401}, 1,
			verdict{state: record.Free, api: refused}},
		"403 is not the fault of the request": {callab.Answer{Outcome: callab.Refused, HTTPStatus: 403}, 2,
			verdict{state: record.Free, api: refused}},
		"429 delays as Callab asks": {callab.Answer{Outcome: callab.NotPlaced, HTTPStatus: 429, RetryAfter: 7 * time.Second}, 1,
			verdict{state: record.Free, delay: 7 * time.Second, pause: 7 * time.Second}},
		"429 that asks for a week is bounded": {callab.Answer{Outcome: callab.NotPlaced, HTTPStatus: 429, RetryAfter: 7 * 24 * time.Hour}, 1,
			verdict{state: record.Free, delay: time.Hour, pause: 30 * time.Second}},
		"not sent": {callab.Answer{Outcome: callab.NotPlaced, Err: errors.New("connection refused")}, 2,
			verdict{state: record.Free, detail: "connection refused", delay: time.Second, pause: time.Second}},
		"not sent on the last attempt": {callab.Answer{Outcome: callab.NotPlaced, Err: errors.New("connection refused")}, attempts,
			verdict{state: record.Failed, reason: event.ReasonNotSent, detail: "connection refused"}},
		"401 on the last attempt costs none": {callab.Answer{Outcome: callab.Refused, HTTPStatus: 401}, attempts,
			verdict{state: record.Free, api: refused}},
		"401 that asks for a wait": {callab.Answer{Outcome: callab.Refused, HTTPStatus: 401, RetryAfter: time.Minute}, 1,
			verdict{state: record.Free, delay: time.Minute, api: refused}},
		"timeout": {callab.Answer{Outcome: callab.Unknown, Err: errors.New("timeout")}, 1,
			verdict{state: record.Unknown, detail: "timeout"}},
		"503 on the last attempt is still unknown": {callab.Answer{Outcome: callab.Unknown, HTTPStatus: 503}, attempts,
			verdict{state: record.Unknown}},
		"undefined outcome": {callab.Answer{Outcome: callab.Outcome(99)}, 1, verdict{state: record.Unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := classify(c.answer, c.attempt, attempts, false); got != c.want {
				t.Errorf("classify = %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestClassifyCountsARefusalOfOneRequest: Callab accepts the credentials for
// other requests.
func TestClassifyCountsARefusalOfOneRequest(t *testing.T) {
	t.Parallel()
	answer := callab.Answer{Outcome: callab.Refused, HTTPStatus: 403}
	if got, want := classify(answer, 2, 3, true), (verdict{state: record.Free, delay: time.Second}); got != want {
		t.Errorf("classify = %+v, want %+v", got, want)
	}
	if got, want := classify(answer, 3, 3, true), (verdict{state: record.Failed, reason: event.ReasonNotSent}); got != want {
		t.Errorf("on the last attempt = %+v, want %+v", got, want)
	}
}

func TestClassifyMasksNumbersInTheDetail(t *testing.T) {
	t.Parallel()
	got := classify(callab.Answer{Outcome: callab.Refused, HTTPStatus: 400, Message: "cannot call +12025550142"}, 1, 3, false)
	if strings.Contains(got.detail, "5550142") {
		t.Errorf("detail %q shows the number", got.detail)
	}
}

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]time.Duration{
		1: 500 * time.Millisecond, 2: time.Second, 5: 8 * time.Second, 10: 256 * time.Second, 11: maxBackoff, 1000: maxBackoff,
	} {
		if got := backoff(attempt); got != want {
			t.Errorf("backoff(%d) = %s, want %s", attempt, got, want)
		}
	}
}

// TestClassifyEveryErrorStatus: only five statuses are about the call. The others hold
// the queue, have the call tried again, or leave it unknown.
func TestClassifyEveryErrorStatus(t *testing.T) {
	t.Parallel()
	for status := 400; status <= 599; status++ {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		api, err := callab.New(callab.Config{URL: server.URL, Token: func() string { return "t" }})
		if err != nil {
			t.Fatal(err)
		}
		answer := api.CreateCall(t.Context(), callab.NewCall{CallTo: "+12025550142"}, callab.Window{Start: time.Now(), Length: time.Minute})
		server.Close()
		want := verdict{state: record.Free, api: refused}
		switch {
		case status == 400, status == 409, status == 410, status == 413, status == 422:
			want = verdict{state: record.Rejected, reason: event.ReasonRefused, api: accepted}
		case status == 425, status == 429:
			want = verdict{state: record.Free, delay: firstBackoff, pause: firstBackoff}
		case status == 408, status == 499, status >= 500:
			want = verdict{state: record.Unknown}
		}
		got := classify(answer, 1, 3, false)
		got.detail = ""
		if got != want {
			t.Errorf("HTTP %d: %+v, want %+v", status, got, want)
		}
	}
}
