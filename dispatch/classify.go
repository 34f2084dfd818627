package dispatch

import (
	"errors"
	"net/http"
	"time"

	"callbridge/callab"
	"callbridge/dispatch/breaker"
	"callbridge/dispatch/record"
	"callbridge/dispatch/search"
	"callbridge/event"
	"callbridge/untrusted"
)

// verdict is what one answer means for its request, and for the requests after
// it.
type verdict struct {
	state  record.State
	reason event.Reason
	detail string
	// delay is the least time until the next attempt of this request.
	delay time.Duration
	// pause is how long this process claims no request at all, because the
	// cause would stop the next call too.
	pause time.Duration
	// api is what the answer proves about the API.
	api proof
}

// proof is what the answer to a create call proves about the API, our token included.
type proof int

const (
	unproven proof = iota
	accepted
	// refused costs no attempt and stops all claims until a create call is
	// accepted: the token, the credit or the address is at fault, not the request.
	refused
)

// aboutTheCall reports whether a refusal is about this call. The other statuses of 4xx
// say something about us: every call would be refused. Callab answers 200 with an error
// where it knows the call.
func aboutTheCall(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusGone,
		http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return status < http.StatusBadRequest
}

// classify decides the state that an answer to the create call leads to. A call
// that may have been placed becomes Unknown, never Free. alone says that this request
// was refused before, and another one accepted since: the refusal concerns this request
// only. It is a pure function.
func classify(a callab.Answer, attempt, attempts int, alone bool) verdict {
	switch a.Outcome {
	case callab.Accepted:
		return verdict{state: record.Accepted, reason: event.ReasonCreated, api: accepted}
	case callab.Refused:
		switch {
		case aboutTheCall(a.HTTPStatus):
			return verdict{state: record.Rejected, reason: event.ReasonRefused, detail: detail(a), api: accepted}
		case alone:
			return notPlaced(a, attempt, attempts)
		}
		// No call was placed.
		return verdict{state: record.Free, detail: detail(a), delay: min(a.RetryAfter, maxRetryAfter), api: refused}
	case callab.NotPlaced:
		v := notPlaced(a, attempt, attempts)
		v.pause = min(v.delay, breaker.MaxPause)
		return v
	}
	return verdict{state: record.Unknown, detail: detail(a)}
}

// isNotSent reports whether an answer proves that no phone rang. A conflict may mean that
// there is a call already, and an error in a 200 that Callab has tried.
func isNotSent(a callab.Answer) bool {
	switch a.Outcome {
	case callab.NotPlaced:
		return true
	case callab.Refused:
		return a.HTTPStatus >= http.StatusBadRequest && a.HTTPStatus != http.StatusConflict
	}
	return false
}

// verify turns the acceptance of another call into an unknown outcome: an answer
// to this request has its number and no other id.
func verify(a callab.Answer, r request) callab.Answer {
	if a.Outcome != callab.Accepted {
		return a
	}
	if search.IsOther(a.Call, r.ID, r.callTo) {
		return callab.Answer{Outcome: callab.Unknown, HTTPStatus: a.HTTPStatus, Err: errors.New("callab answered with another call")}
	}
	return a
}

func notPlaced(a callab.Answer, attempt, attempts int) verdict {
	if attempt >= attempts {
		return verdict{state: record.Failed, reason: event.ReasonNotSent, detail: detail(a)}
	}
	return verdict{state: record.Free, detail: detail(a), delay: max(backoff(attempt), min(a.RetryAfter, maxRetryAfter))}
}

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 5 * time.Minute
	// maxRetryAfter bounds a Retry-After that Callab asks for.
	maxRetryAfter = record.MaxWait
)

// backoff doubles from 0.5 s after the first attempt up to 5 min from the
// eleventh on.
func backoff(attempt int) time.Duration {
	if attempt > 10 {
		return maxBackoff
	}
	return min(firstBackoff<<(attempt-1), maxBackoff)
}

// detail is the answer's text for people, with telephone numbers masked.
func detail(a callab.Answer) string {
	if a.Err != nil {
		return untrusted.Redact(a.Err.Error())
	}
	return untrusted.Redact(a.Message)
}
