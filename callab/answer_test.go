package callab

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The kinds of envelope, which decide a 2xx.
var (
	okForms = []string{
		`{"status":"ok","message":"ok","data":{"id":"7d1b"}}`,
		`{"status":"success","data":{"id":"7d1b","cost":"free","created_at":5,"metadata":[]}}`,
		`{"status":"OK","message":{"text":"odd"},"data":{"id":"7d1b","unknown":1}}`,
	}
	errorForms = []string{
		`{"status":"error","message":"error","data":""}`,
		`{"status":"ERROR","message":"no such agent","data":"text"}`,
		`{"status":"error","message":"no such agent","data":null}`,
		`{"status":"error"}`,
		`{"status":"error","data":{}}`,
	}
	unclearForms = []string{
		``, `null`, `[]`, `"ok"`, `<html></html>`, `{"status":"ok","data":{"id":"7d1b"}`,
		`{"status":"ok","message":"ok","data":""}`, `{"status":"ok","data":{}}`, `{"status":"ok"}`,
		`{"status":"ok","data":{"id":""}}`, `{"status":"ok","data":{"id":" "}}`,
		`{"status":"ok","data":[{"id":"7d1b"}]}`,
	}
	// contradictory forms name a call and do not say that it was placed.
	contradictoryForms = []string{
		`{"status":"queued","data":{"id":"7d1b"}}`, `{"status":true,"data":{"id":"7d1b"}}`, `{"data":{"id":"7d1b"}}`,
		`{"status":"error","data":{"id":"7d1b"}}`, `{"status":"error","data":{"id":7}}`, `{"status":"ok","data":{"id":7}}`,
		`{"status":"ok","data":{"id":"7d1b\n"}}`, `{"status":"ok","data":{"id":"7d1b\u202e"}}`,
		`{"status":"ok","data":{"id":"` + strings.Repeat("7", maxIDBytes+1) + `"}}`,
	}
)

func TestClassifyEveryStatusAndEnvelope(t *testing.T) {
	t.Parallel()
	rows := []struct {
		first, last         int
		ok, failed, unclear Outcome
	}{
		{100, 199, Unknown, Unknown, Unknown},
		{200, 299, Accepted, Refused, Unknown},
		{300, 399, Unknown, Unknown, Unknown},
		{400, 407, Unknown, Refused, Refused},
		{408, 408, Unknown, Unknown, Unknown},
		{409, 424, Unknown, Refused, Refused},
		{425, 425, Unknown, NotPlaced, NotPlaced},
		{426, 428, Unknown, Refused, Refused},
		{429, 429, Unknown, NotPlaced, NotPlaced},
		{430, 498, Unknown, Refused, Refused},
		{499, 499, Unknown, Unknown, Unknown},
		{500, 599, Unknown, Unknown, Unknown},
	}
	seen := 0
	for _, row := range rows {
		for status := row.first; status <= row.last; status++ {
			seen++
			classifyAll(t, status, okForms, row.ok)
			classifyAll(t, status, errorForms, row.failed)
			classifyAll(t, status, unclearForms, row.unclear)
			classifyAll(t, status, contradictoryForms, Unknown)
		}
	}
	if seen != 500 {
		t.Errorf("the table covers %d statuses, want 500", seen)
	}
}

func classifyAll(t *testing.T, status int, bodies []string, want Outcome) {
	t.Helper()
	for _, body := range bodies {
		got := response{status: status, body: []byte(body)}.classify(time.Now())
		if got.Outcome != want {
			t.Errorf("HTTP %d, body %.80s: %v, want %v", status, body, got.Outcome, want)
		}
		if (got.Err == nil) != (want == Accepted) || got.HTTPStatus != status {
			t.Errorf("HTTP %d, body %.80s: status %d, error %v", status, body, got.HTTPStatus, got.Err)
		}
		if want == Accepted && got.Call.ID != "7d1b" {
			t.Errorf("HTTP %d, body %.80s: call id %q", status, body, got.Call.ID)
		}
	}
}

func TestClassifyIgnoresTruncatedBody(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Outcome{http.StatusOK: Unknown, http.StatusBadRequest: Refused} {
		long := okForms[0] + strings.Repeat(" ", maxBodyBytes)
		r, err := readBody(&http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(long))}, maxBodyBytes)
		if got := r.classify(time.Now()); err != nil || got.Outcome != want || got.Call.ID != "" {
			t.Errorf("HTTP %d: %s, call id %q, %v", status, got.Outcome, got.Call.ID, err)
		}
	}
}

func TestClassifyParsesRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"7", 7 * time.Second},
		{" 7 ", 7 * time.Second},
		{"-7", 0},
		{"7.5", 0},
		{"999999999", maxRetryAfter},
		{"99999999999999999999", 0},
		{"Mon, 02 Mar 2026 10:01:30 GMT", 90 * time.Second},
		{"Mon, 02 Mar 2026 09:00:00 GMT", 0},
		{"Mon, 02 Mar 2099 09:00:00 GMT", maxRetryAfter},
		{"soon", 0},
	} {
		r := response{status: http.StatusTooManyRequests, header: http.Header{"Retry-After": {row.header}}}
		if got := r.classify(now).RetryAfter; got != row.want {
			t.Errorf("Retry-After %q: %v, want %v", row.header, got, row.want)
		}
	}
}

func TestClassifyShortensMessage(t *testing.T) {
	t.Parallel()
	body := fmt.Sprintf(`{"status":"error","message":"a\nb%s"}`, strings.Repeat("é", 1000))
	got := response{status: http.StatusOK, body: []byte(body)}.classify(time.Now())
	if runes := []rune(got.Message); len(runes) != maxMessageRunes || string(runes[:4]) != "a bé" {
		t.Errorf("message has %d characters: %.20q", len(runes), got.Message)
	}
}

func TestErrorTextHasNoTelephoneNumber(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"+12025550142", "(202) 555-0142", "+44 20 7946 0123", "202.555.0142"} {
		err := &Error{HTTPStatus: http.StatusOK, Status: "error", Message: "cannot call " + number + " now"}
		want := `callab answered HTTP 200 with status "error": cannot call [number] now`
		if got := err.Error(); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}

// FuzzClassify: only a 2xx with an id is accepted, and only an answer that says
// so is refused. The promise to dial once depends on it.
func FuzzClassify(f *testing.F) {
	for _, forms := range [][]string{okForms, errorForms, unclearForms, contradictoryForms} {
		for i, body := range forms {
			f.Add(200+i, "", body)
			f.Add(400+i, "3", body)
			f.Add(500+i, "Mon, 02 Mar 2026 10:01:30 GMT", body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, retryAfter, body string) {
		r := response{status: status, header: http.Header{"Retry-After": {retryAfter}}, body: []byte(body)}
		a := r.classify(time.Now())
		success, clientError := status >= 200 && status <= 299, status >= 400 && status <= 499
		switch a.Outcome {
		case Accepted:
			if !success || !validID(a.Call.ID) || !strings.Contains(body, string(a.Call.Raw)) && withinBounds([]byte(body)) && len(body) <= maxCallBytes {
				t.Errorf("HTTP %d accepted with id %q: %s", status, a.Call.ID, body)
			}
		case Refused:
			if !success && !clientError || status == http.StatusRequestTimeout || status == 499 {
				t.Errorf("HTTP %d refused: %s", status, body)
			}
		case NotPlaced:
			if status != http.StatusTooManyRequests && status != http.StatusTooEarly {
				t.Errorf("HTTP %d not sent: %s", status, body)
			}
		}
		if a.RetryAfter < 0 || a.RetryAfter > maxRetryAfter {
			t.Errorf("Retry-After %q became %v", retryAfter, a.RetryAfter)
		}
		if (a.Err == nil) != (a.Outcome == Accepted) || len([]rune(a.Message)) > maxMessageRunes {
			t.Errorf("HTTP %d: error %v, message of %d bytes", status, a.Err, len(a.Message))
		}
	})
}
