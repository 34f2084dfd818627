package lookup

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/lookups"
	"callbridge/untrusted"
)

func TestEveryStatusIsClassified(t *testing.T) {
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
		r := response{status: status, body: []byte("{}")}
		if status == 204 {
			r.body = nil
		}
		if v := classify(r, nil, noon); v.result != want || (v.result == found) != (v.detail == "") {
			t.Errorf("%d is %s (%q), want %s", status, v.result, v.detail, want)
		}
	}
}

// TestEveryResultHasOneConsequence is the table of the closed set of results: each
// stores one outcome or has the event redelivered.
func TestEveryResultHasOneConsequence(t *testing.T) {
	t.Parallel()
	config, err := mapping.Parse("callbridge.yaml", []byte(`sources: {crm: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${KEY}"]}}}`), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	j := job{
		in:      mapping.Incoming{Event: event.Event{Source: "crm", Received: noon}},
		config:  config,
		request: &lookups.Request{Timeout: time.Minute},
	}
	const delay = 5 * time.Second
	for result, want := range map[result]struct {
		outcome event.Outcome
		reason  event.Reason
		delay   time.Duration
	}{
		found:      {event.Skipped, event.ReasonNoRoute, 0}, // as mapping decides
		shared:     {event.Skipped, event.ReasonNoRoute, 0},
		notFound:   {event.Rejected, event.ReasonLookupNotFound, 0},
		failed:     {event.Rejected, event.ReasonLookupFailed, 0},
		superseded: {event.Skipped, event.ReasonSuperseded, 0},
		refused:    {"", "", delay},
		retried:    {"", "", delay},
		forbidden:  {"", "", delay}, // updateLimiter has replaced it
	} {
		items, wait := j.conclude(verdict{result: result, delay: delay}, noon)
		if wait != want.delay || len(items) != 0 == (want.outcome == "") {
			t.Errorf("%s: %d items, redelivered after %s", result, len(items), wait)
			continue
		}
		if len(items) == 1 && (items[0].Result.Outcome != want.outcome || items[0].Result.Reason != want.reason) {
			t.Errorf("%s: stored %s %s, want %s %s", result, items[0].Result.Outcome, items[0].Result.Reason, want.outcome, want.reason)
		}
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for want, err := range map[result]error{
		failed: permanentError("too large"), refused: credentialsError("invalid_grant"), retried: errors.New("connection reset"),
	} {
		if v := classify(response{}, err, noon); v.result != want || v.detail != err.Error() {
			t.Errorf("%v is %s (%q), want %s", err, v.result, v.detail, want)
		}
	}
}

func TestRetryAfterIsParsedAndLimited(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		text   string
		want   time.Duration
	}{
		{429, "", minThrottle}, {429, "1", minThrottle}, {429, "7", 7 * time.Second}, {429, "0.5", minThrottle},
		{429, "86400", maxThrottle}, {429, "1e300", maxThrottle}, {429, "-5", minThrottle}, {429, "NaN", minThrottle}, {429, "soon", minThrottle},
		{503, "", 0}, {503, "3", 3 * time.Second}, {503, noon.Add(20 * time.Second).Format(http.TimeFormat), 20 * time.Second},
		{503, noon.Add(-time.Hour).Format(http.TimeFormat), 0},
	} {
		v := classify(response{status: c.status, header: http.Header{"Retry-After": {c.text}}}, nil, noon)
		if v.delay != c.want {
			t.Errorf("%d with Retry-After %q: %s, want %s", c.status, c.text, v.delay, c.want)
		}
	}
}

func TestBackoffDoublesUntilTheDeadline(t *testing.T) {
	t.Parallel()
	deadline, now := noon.Add(2*time.Minute), noon
	tries := 1
	for now.Before(deadline) {
		wait := backoff(noon, deadline, now)
		if wait <= 0 || wait > maxBackoff {
			t.Fatalf("after %s it waits %s", now.Sub(noon), wait)
		}
		now = now.Add(wait)
		tries++
	}
	if now != deadline || tries < 8 || tries > 14 {
		t.Errorf("%d tries, the last after %s", tries, now.Sub(noon))
	}
}

// A token endpoint may repeat what it was sent.
func TestErrorOfTheTokenEndpointDoesNotRepeatASecret(t *testing.T) {
	t.Parallel()
	hidden := untrusted.Secrets{"the_client_secret"}
	for code, want := range map[string]string{
		"invalid_grant": "the token endpoint refused: invalid_grant", "the_client_secret": "the token endpoint gave no access token, HTTP 400",
		"no_the_client_secret": "the token endpoint gave no access token, HTTP 400",
	} {
		err := (&access{}).parse(http.StatusBadRequest, []byte(`{"error":"`+code+`"}`), hidden, noon)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", code, err, want)
		}
	}
}
