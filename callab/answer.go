package callab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"callbridge/untrusted"
)

// Outcome is what is known about a call after one attempt to place it.
type Outcome int

const (
	// Unknown: the call may have been placed. Only Callab's list shows whether.
	Unknown Outcome = iota
	// Accepted: Callab has the call and gave it an id.
	Accepted
	// Refused: Callab answered that it has not placed the call. The HTTP status says
	// whether it refuses this call, or every one: 401 and 403 refuse our credentials.
	Refused
	// NotPlaced: the call was certainly not placed and may be tried again,
	// because no byte of the request left, or Callab did not process it (425, 429).
	NotPlaced
)

// String returns the outcome in words: "not placed".
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Refused:
		return "refused"
	case NotPlaced:
		return "not placed"
	}
	return "unknown"
}

// Answer is the result of one attempt to place a call.
type Answer struct {
	Outcome Outcome
	// HTTPStatus is 0 if no answer could be read.
	HTTPStatus int
	// Message is Callab's own text, at most 300 characters. It may hold a
	// telephone number.
	Message string
	// RetryAfter is how long Callab asks us to wait: at most a day, 0 if it
	// does not say.
	RetryAfter time.Duration
	// Call is set if Outcome is Accepted.
	Call Call
	// Err is the reason if Outcome is not Accepted: an *Error if Callab
	// answered. It holds neither the token nor a telephone number.
	Err error
}

func notPlaced(err error) Answer { return Answer{Outcome: NotPlaced, Err: err} }

func unknown(err error) Answer { return Answer{Outcome: Unknown, Err: err} }

const (
	// maxBodyBytes bounds how much of a response body is read, maxListBytes for a list:
	// ten calls with long transcripts.
	maxBodyBytes = 1 << 20
	maxListBytes = 16 << 20
	// maxMessageRunes bounds how much of Callab's text is kept.
	maxMessageRunes = 300
	// maxRetryAfter bounds the wait that Retry-After can ask for.
	maxRetryAfter = 24 * time.Hour
)

// statusClientClosed is what nginx calls a request whose client went away, as a proxy
// that stops waiting does. Callab may have the request.
const statusClientClosed = 499

// response is an HTTP response with its body.
type response struct {
	status int
	header http.Header
	// body is empty if it is larger than its bound: what is cut off proves nothing.
	body []byte
}

func readBody(resp *http.Response, most int) (response, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if len(body) > most {
		body = nil
	}
	return response{status: resp.StatusCode, header: resp.Header, body: body}, err
}

func (r response) success() bool { return r.status >= 200 && r.status <= 299 }

// classify decides the outcome of a create call by what the response proves: a
// call that might ring is never Refused, and one that might not ring is never
// Accepted.
func (r response) classify(now time.Time) Answer {
	e := r.envelope()
	err := r.asError(e, now)
	a := Answer{HTTPStatus: r.status, Message: err.Message, RetryAfter: err.RetryAfter, Err: err}
	switch {
	case r.status >= 400 && r.status <= 499 && e.mentionsCall():
		// An error that names a call contradicts itself.
		a.Outcome = Unknown
	case r.status == http.StatusTooManyRequests, r.status == http.StatusTooEarly:
		a.Outcome = NotPlaced
	case r.status == http.StatusRequestTimeout, r.status == statusClientClosed:
		// A server or a proxy stopped waiting, perhaps after Callab had the request.
		a.Outcome = Unknown
	case r.status >= 400 && r.status <= 499:
		a.Outcome = Refused
	case r.success():
		a.Outcome, a.Call = e.classify()
	}
	if a.Outcome == Accepted {
		a.Err = nil
	}
	return a
}

// envelope is the outer object of every answer.
type envelope struct {
	// Status is "ok" or "error"; one page of the documentation says "success".
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// envelope decodes the body; the result is zero if that fails.
func (r response) envelope() envelope {
	var e envelope
	if ignoreWrongType(json.Unmarshal(r.body, &e)) != nil {
		return envelope{}
	}
	return e
}

func (e envelope) ok() bool {
	return strings.EqualFold(e.Status, "ok") || strings.EqualFold(e.Status, "success")
}

func (e envelope) failed() bool { return strings.EqualFold(e.Status, "error") }

func (e envelope) call() (Call, error) {
	var c Call
	err := c.UnmarshalJSON(e.Data)
	return c, err
}

// classify decides a 2xx: Callab answers most errors with HTTP 200, and then
// "data" may be "" or a text.
// Source: https://docs.callab.ai/api-reference/Campaign/stop.
func (e envelope) classify() (Outcome, Call) {
	call, err := e.call()
	switch {
	case e.ok() && err == nil && validID(call.ID):
		return Accepted, call
	case e.failed() && !e.mentionsCall():
		return Refused, Call{}
	}
	// "ok" without a call or with an id that cannot be one, "error" with a call,
	// or an undocumented status.
	return Unknown, Call{}
}

// mentionsCall reports whether "data" is an object with an id, valid or not.
func (e envelope) mentionsCall() bool {
	var data struct {
		ID any `json:"id"`
	}
	if len(e.Data) == 0 || json.Unmarshal(e.Data, &data) != nil {
		return false
	}
	text, isText := data.ID.(string)
	return data.ID != nil && (!isText || strings.TrimSpace(text) != "")
}

// Error is an answer of Callab other than success. Callab sends most of its
// errors with HTTP status 200.
type Error struct {
	HTTPStatus int
	// Status and Message are those of the envelope, shortened; empty without
	// an envelope. Message may hold a telephone number, Error() does not.
	Status  string
	Message string
	// RetryAfter is how long Callab asks us to wait; 0 if it does not say.
	RetryAfter time.Duration
}

// notFound are texts with which APIs say that they do not have a record. Callab documents
// that it answers HTTP 200 and status "error", and not the text.
var notFound = regexp.MustCompile(`(?i)\b(not found|not exist|no such|unknown call|no call|does not exist|doesn't exist|deleted)\b`)

// Gone reports whether Callab says that it does not have the call: HTTP 404 or 410, or
// status "error" with a message that says so. It never holds for an answer that is not
// Callab's, such as a proxy's page, except by its HTTP status.
func (e *Error) Gone() bool {
	switch {
	case e.HTTPStatus == http.StatusNotFound, e.HTTPStatus == http.StatusGone:
		return true
	case e.HTTPStatus != http.StatusOK && e.HTTPStatus != http.StatusBadRequest:
		return false
	}
	return strings.EqualFold(e.Status, "error") && notFound.MatchString(e.Message)
}

func (r response) asError(e envelope, now time.Time) *Error {
	return &Error{
		HTTPStatus: r.status, Status: sanitize(e.Status), Message: sanitize(e.Message),
		RetryAfter: retryAfter(r.header, now),
	}
}

// Error describes the answer, with everything like a telephone number replaced.
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

// phoneLike matches seven digits or more with the usual separators between them.
var phoneLike = regexp.MustCompile(`[+(]*[0-9](?:[ ().\-/]*[0-9]){6,}`)

// sanitize makes a text of the server fit for one line.
func sanitize(text string) string { return untrusted.Cut(untrusted.Line(text), maxMessageRunes) }

// retryAfter parses Retry-After: seconds or a date (RFC 9110, 10.2.3).
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
