package lookup

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestEveryStatusIsJudged(t *testing.T) {
	t.Parallel()
	special := map[int]result{
		204: notFound, 401: refused, 403: forbidden, 404: notFound, 408: retried, 410: notFound, 425: retried, 429: retried,
	}
	for status := 100; status < 600; status++ {
		want, ok := special[status]
		switch {
		case ok:
		case status >= 500:
			want = retried
		case status >= 200 && status < 300:
			want = found
		default:
			want = failed
		}
		a := answered{status: status, body: []byte("{}")}
		if status == 204 {
			a.body = nil
		}
		if v := judge(a, nil, noon); v.result != want || (v.result == found) != (v.detail == "") {
			t.Errorf("%d is %s (%q), want %s", status, v.result, v.detail, want)
		}
	}
}

func TestErrorsAreJudged(t *testing.T) {
	t.Parallel()
	for want, err := range map[result]error{
		failed: final("too large"), refused: unwelcome("invalid_grant"), retried: errors.New("connection reset"),
	} {
		if v := judge(answered{}, err, noon); v.result != want || v.detail != err.Error() {
			t.Errorf("%v is %s (%q), want %s", err, v.result, v.detail, want)
		}
	}
}

func TestRetryAfterIsReadAndBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		text   string
		want   time.Duration
	}{
		{429, "", throttleLeast}, {429, "1", throttleLeast}, {429, "7", 7 * time.Second}, {429, "0.5", throttleLeast},
		{429, "86400", throttleMost}, {429, "1e300", throttleMost}, {429, "-5", throttleLeast}, {429, "NaN", throttleLeast}, {429, "soon", throttleLeast},
		{503, "", 0}, {503, "3", 3 * time.Second}, {503, noon.Add(20 * time.Second).Format(http.TimeFormat), 20 * time.Second},
		{503, noon.Add(-time.Hour).Format(http.TimeFormat), 0},
	} {
		v := judge(answered{status: c.status, header: http.Header{"Retry-After": {c.text}}}, nil, noon)
		if v.throttle != c.want {
			t.Errorf("%d with Retry-After %q: %s, want %s", c.status, c.text, v.throttle, c.want)
		}
	}
}

func TestWaitsDoubleUntilTheDeadline(t *testing.T) {
	t.Parallel()
	deadline, now := noon.Add(2*time.Minute), noon
	tries := 1
	for now.Before(deadline) {
		wait := backoff(noon, deadline, now)
		if wait <= 0 || wait > backoffMost {
			t.Fatalf("after %s it waits %s", now.Sub(noon), wait)
		}
		now = now.Add(wait)
		tries++
	}
	if now != deadline || tries < 8 || tries > 14 {
		t.Errorf("%d tries, the last after %s", tries, now.Sub(noon))
	}
}
