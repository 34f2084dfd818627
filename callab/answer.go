package callab

import (
	"net/http"
	"strings"
	"time"
)

// Outcome is what is known of a call after trying to place it once.
type Outcome int

const (
	// Unknown: the call may have been placed. Only Callab's list can tell.
	Unknown Outcome = iota
	// Accepted: Callab has the call and gave it an id.
	Accepted
	// Refused: Callab answered that it has not placed the call. With HTTP
	// status 401 or 403 it is our credentials that it refused.
	Refused
	// NotSent: no byte of the request left, or Callab was too busy to look
	// at it (429). The same call may be tried again.
	NotSent
)

// String returns the outcome in words: "not sent".
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Refused:
		return "refused"
	case NotSent:
		return "not sent"
	}
	return "unknown"
}

// Answer is what came of trying to place a call.
type Answer struct {
	Outcome Outcome
	// HTTPStatus is 0 if no answer could be read.
	HTTPStatus int
	// Message is Callab's own text, at most 300 characters. It may hold a
	// telephone number.
	Message string
	// RetryAfter is how long Callab asks us to wait; at most a day, 0 if it
	// does not say.
	RetryAfter time.Duration
	// Call is set if Accepted.
	Call Call
	// Err says why, unless Accepted: an *Error if Callab answered. It holds
	// neither the token nor a telephone number.
	Err error
}

func notSent(err error) Answer { return Answer{Outcome: NotSent, Err: err} }

func unknown(err error) Answer { return Answer{Outcome: Unknown, Err: err} }

// reply is an answer as it came over the wire.
type reply struct {
	status int
	header http.Header
	// body is longer than maxBodyBytes if it was cut.
	body []byte
}

// judge says what the reply to a create call means. It goes by what the reply
// proves: a call that might ring is never called refused, and one that might
// not is never called accepted.
func (r reply) judge(now time.Time) Answer {
	e := r.envelope()
	err := r.asError(e, now)
	a := Answer{HTTPStatus: r.status, Message: err.Message, RetryAfter: err.RetryAfter, Err: err}
	switch {
	case r.status == http.StatusTooManyRequests:
		a.Outcome = NotSent
	case r.status == http.StatusRequestTimeout:
		// The server gave up waiting; nobody says for what.
		a.Outcome = Unknown
	case r.status >= 400 && r.status <= 499:
		a.Outcome = Refused
	case r.success():
		a.Outcome, a.Call = e.judge()
	}
	if a.Outcome == Accepted {
		a.Err = nil
	}
	return a
}

// judge decides a 2xx: Callab answers errors with HTTP 200 and says so in the
// envelope, where `data` may then be "" or a text.
// Source: https://docs.callab.ai/api-reference/Campaign/stop.
func (e envelope) judge() (Outcome, Call) {
	call, err := e.call()
	hasCall := err == nil && strings.TrimSpace(call.ID) != ""
	switch {
	case e.ok() && hasCall:
		return Accepted, call
	case e.failed() && !hasCall:
		return Refused, Call{}
	}
	// "ok" without a call, "error" with one, or a word that nobody has
	// documented.
	return Unknown, Call{}
}
