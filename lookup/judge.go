package lookup

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// result of one look-up, also as a metric's label.
type result string

const (
	found    result = "found"
	notFound result = "not_found"
	// failed is final; retried comes again.
	failed  result = "failed"
	retried result = "retried"
	// refused: the CRM does not take our credentials. forbidden: perhaps.
	refused   result = "refused"
	forbidden result = "forbidden"
	// shared: another event's answer was taken.
	shared result = "shared"
	// superseded: a newer event about the same was looked up before.
	superseded result = "superseded"
)

// verdict is what one answer means.
type verdict struct {
	result result
	status int
	// detail says why it is not found, without anything of the request.
	detail string
	// throttle is how long the CRM wants the source to be silent.
	throttle time.Duration
}

// answered is what a CRM's API said.
type answered struct {
	status      int
	header      http.Header
	contentType string
	body        []byte
	// asked is when the question left, took how long the answer took.
	asked time.Time
	took  time.Duration
}

// final is why there is no answer, and none to be had by asking again.
type final string

func (e final) Error() string { return string(e) }

// unwelcome is why credentials were not taken before the API could be asked.
type unwelcome string

func (e unwelcome) Error() string { return string(e) }

const (
	// throttleLeast is for a 429 that does not say how long.
	throttleLeast = 2 * time.Second
	// throttleMost bounds what a Retry-After may say.
	throttleMost = 15 * time.Minute
)

// judge decides by the status of RFC 9110, or by why there is none.
func judge(a answered, err error, now time.Time) verdict {
	v := verdict{status: a.status}
	if err != nil {
		v.result, v.detail = judgeError(err), err.Error()
		return v
	}
	switch {
	case a.status == http.StatusNotFound, a.status == http.StatusGone:
		v.result = notFound
	case a.status >= 200 && a.status < 300 && len(bytes.TrimSpace(a.body)) == 0:
		v.result = notFound
	case a.status >= 200 && a.status < 300:
		v.result = found
	case a.status == http.StatusUnauthorized:
		v.result = refused
	case a.status == http.StatusForbidden:
		v.result = forbidden
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly,
		a.status == http.StatusTooManyRequests, a.status >= 500:
		v.result, v.throttle = retried, retryAfter(a, now)
	default:
		v.result = failed
	}
	if v.result != found {
		v.detail = fmt.Sprintf("the CRM's API answered HTTP %d", a.status)
	}
	return v
}

func judgeError(err error) result {
	var no final
	var closed unwelcome
	switch {
	case errors.As(err, &no):
		return failed
	case errors.As(err, &closed):
		return refused
	default:
		return retried
	}
}

// retryAfter reads RFC 9110, 10.2.3: seconds or a date.
func retryAfter(a answered, now time.Time) time.Duration {
	text := strings.TrimSpace(a.header.Get("Retry-After"))
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		wait = time.Duration(min(seconds, throttleMost.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	if a.status == http.StatusTooManyRequests {
		wait = max(wait, throttleLeast)
	}
	return min(max(wait, 0), throttleMost)
}

const backoffLeast, backoffMost = 500 * time.Millisecond, 30 * time.Second

// backoff is how long to wait for the next try of an event that came in at
// that time. It is as long as the event has waited already, so the waits
// double; the last try is at the deadline.
func backoff(received, deadline, now time.Time) time.Duration {
	wait := min(max(now.Sub(received), backoffLeast), backoffMost)
	return max(min(wait, deadline.Sub(now)), 0)
}
