package callab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxBodyBytes bounds what is read of an answer's body.
	maxBodyBytes = 1 << 20
	// maxMessageRunes bounds what is kept of Callab's own words.
	maxMessageRunes = 300
	// maxRetryAfter bounds what is believed of Retry-After.
	maxRetryAfter = 24 * time.Hour
)

// envelope is around every answer of every endpoint.
type envelope struct {
	// Status is "ok" or "error"; one page says "success".
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// envelope reads the body; it is zero if that cannot be read.
func (r reply) envelope() envelope {
	var e envelope
	if len(r.body) > maxBodyBytes || tolerate(json.Unmarshal(r.body, &e)) != nil {
		return envelope{}
	}
	return e
}

func (r reply) success() bool { return r.status >= 200 && r.status <= 299 }

func (e envelope) ok() bool {
	return strings.EqualFold(e.Status, "ok") || strings.EqualFold(e.Status, "success")
}

func (e envelope) failed() bool { return strings.EqualFold(e.Status, "error") }

func (e envelope) call() (Call, error) {
	var c Call
	err := c.UnmarshalJSON(e.Data)
	return c, err
}

// Error is an answer of Callab that is not what was asked for. Callab sends
// most of its errors with HTTP status 200.
type Error struct {
	HTTPStatus int
	// Status and Message are the envelope's, shortened; empty if there is no
	// envelope. Message may hold a telephone number, Error() does not.
	Status  string
	Message string
	// RetryAfter is how long Callab asks us to wait; 0 if it does not say.
	RetryAfter time.Duration
}

func (r reply) asError(e envelope, now time.Time) *Error {
	return &Error{
		HTTPStatus: r.status, Status: tidy(e.Status), Message: tidy(e.Message),
		RetryAfter: retryAfter(r.header, now),
	}
}

// Error returns the answer in words, without anything like a telephone number.
func (e *Error) Error() string {
	text := fmt.Sprintf("callab answered HTTP %d", e.HTTPStatus)
	if e.Status != "" {
		text += fmt.Sprintf(" with status %q", e.Status)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return phoneLike.ReplaceAllString(text, "[number]")
}

// phoneLike is seven digits or more with what people write between them.
var phoneLike = regexp.MustCompile(`[+(]*[0-9](?:[ ().\-/]*[0-9]){6,}`)

// tidy makes a text of the server fit for a log line.
func tidy(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(text))
	if runes := []rune(text); len(runes) > maxMessageRunes {
		return string(runes[:maxMessageRunes-1]) + "…"
	}
	return text
}

// retryAfter reads Retry-After: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
