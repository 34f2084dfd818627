package lookup

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callbridge/mapping/lookups"
)

// result of one lookup, also the label of a metric.
type result string

const (
	// found: the response has the record.
	found result = "found"
	// notFound: the CRM does not have the record. The event is rejected.
	notFound result = "not_found"
	// failed: another request would fail too, or the time for retries is over. The
	// event is rejected.
	failed result = "failed"
	// retried: a later request may succeed.
	retried result = "retried"
	// incomplete: the CRM accepted the request, but does not know the record, or all of
	// it, yet. It is asked again until the deadline.
	incomplete result = "incomplete"
	// refused: the CRM does not accept our credentials. The source's events wait.
	refused result = "refused"
	// forbidden: HTTP 403. The limiter decides whether it means refused or retried.
	forbidden result = "forbidden"
	// shared: the response to another event's request was used.
	shared result = "shared"
	// superseded: a newer event of the same record was looked up before. The event
	// is skipped.
	superseded result = "superseded"
)

// verdict is the meaning of one response.
type verdict struct {
	result result
	// status is the HTTP status, zero without a response.
	status int
	// detail says why the record was not found. It has nothing of the request,
	// which may contain a name or a key.
	detail string
	// delay is how long the CRM wants no further request of the source, or how
	// long the source is paused.
	delay time.Duration
	// final is what incomplete becomes at the deadline: found or notFound.
	final result
}

// response is an HTTP response of a CRM's API.
type response struct {
	status      int
	header      http.Header
	contentType string
	body        []byte
	// sent is when the request was sent, took the time until the response.
	sent time.Time
	took time.Duration
}

// permanentError is why a request failed that would fail again.
type permanentError string

func (e permanentError) Error() string { return string(e) }

// credentialsError is why the token endpoint did not accept our credentials.
type credentialsError string

func (e credentialsError) Error() string { return string(e) }

const (
	// minThrottle is the delay after a 429 without a longer Retry-After.
	minThrottle = 2 * time.Second
	// maxThrottle limits the delay of a Retry-After.
	maxThrottle = 15 * time.Minute
)

// classify is a pure function of a response and of what the source says that it means,
// or of the error instead of one. Without a word of the source it follows RFC 9110.
func classify(meaning lookups.Meaning, r response, err error, now time.Time) verdict {
	v := verdict{status: r.status}
	if err != nil {
		v.result, v.detail = classifyError(err), err.Error()
		return v
	}
	if v.result = meanings[meaning]; v.result != "" {
		v.detail = fmt.Sprintf("the CRM's API answered HTTP %d, which means %s", r.status, meaning)
		if meaning == lookups.Wait {
			v.delay = max(retryAfter(r, now), minThrottle)
		}
		return v
	}
	switch {
	case r.status == http.StatusNotFound, r.status == http.StatusGone:
		v.result = notFound
	case r.status >= 200 && r.status < 300 && len(bytes.TrimSpace(r.body)) == 0:
		v.result, v.final = incomplete, notFound
	case r.status >= 200 && r.status < 300:
		v.result = found
	case r.status == http.StatusUnauthorized:
		v.result = refused
	case r.status == http.StatusForbidden:
		v.result = forbidden
	case r.status == http.StatusRequestTimeout, r.status == http.StatusTooEarly,
		r.status == http.StatusTooManyRequests, r.status >= 500:
		v.result, v.delay = retried, retryAfter(r, now)
	default:
		v.result = failed
	}
	if v.result != found {
		v.detail = fmt.Sprintf("the CRM's API answered HTTP %d", r.status)
	}
	return v
}

// isOutage reports whether the CRM could not answer at all, whatever it was asked for.
func (v verdict) isOutage(err error) bool {
	return v.result == retried && (err != nil || v.status == http.StatusRequestTimeout || v.status >= 500)
}

// meanings are the results of what a source says about an answer.
var meanings = map[lookups.Meaning]result{
	lookups.BadCredentials: refused, lookups.Forbidden: forbidden, lookups.Wait: retried, lookups.Gone: notFound, lookups.Failed: failed,
}

func classifyError(err error) result {
	var permanent permanentError
	var credentials credentialsError
	switch {
	case errors.As(err, &permanent):
		return failed
	case errors.As(err, &credentials):
		return refused
	default:
		return retried
	}
}

// retryAfter parses the header Retry-After, which is a number of seconds or a date
// (RFC 9110, section 10.2.3).
func retryAfter(r response, now time.Time) time.Duration {
	text := strings.TrimSpace(r.header.Get("Retry-After"))
	var delay time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		delay = time.Duration(min(seconds, maxThrottle.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		delay = at.Sub(now)
	}
	if r.status == http.StatusTooManyRequests {
		delay = max(delay, minThrottle)
	}
	return min(max(delay, 0), maxThrottle)
}

const (
	minBackoff, maxBackoff = 500 * time.Millisecond, 30 * time.Second
	// minSettle is the shortest delay before a CRM is asked again about a record that
	// it did not know.
	minSettle = time.Second
)

// backoff returns the delay until the next retry. It equals the event's age, so
// the delays double without a stored count. The last retry is at the deadline.
func backoff(received, deadline, now time.Time) time.Duration {
	delay := min(max(now.Sub(received), minBackoff), maxBackoff)
	return max(min(delay, deadline.Sub(now)), 0)
}

// settle returns the delay until a record is asked for again that the CRM did not know
// yet. It is twice the event's age, so that a contact that really has no number
// costs a handful of requests; the last one is at the deadline.
func settle(received, deadline, now time.Time) time.Duration {
	delay := max(2*now.Sub(received), minSettle)
	return max(min(delay, deadline.Sub(now)), 0)
}
