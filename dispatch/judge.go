package dispatch

import (
	"net/http"
	"time"

	"callbridge/callab"
	"callbridge/event"
)

// verdict is what one answer means for the request, and for the queue.
type verdict struct {
	state  State
	reason event.Reason
	detail string
	// after is the earliest time for the next attempt of this request.
	after time.Duration
	// hold stops every claim of this process for a while: what stopped this
	// call will stop the next one.
	hold time.Duration
	// credentials: nothing is claimed until Callab takes our token.
	credentials bool
}

// judge decides by what is known, not by hope (DESIGN §5). It is pure, so that
// a table can hold it against every answer there is.
func judge(a callab.Answer, attempt, attempts int) verdict {
	switch a.Outcome {
	case callab.Accepted:
		return verdict{state: Accepted, reason: event.ReasonCreated}
	case callab.Unknown:
		return verdict{state: Unknown, detail: detail(a)}
	case callab.Refused:
		if a.HTTPStatus != http.StatusUnauthorized && a.HTTPStatus != http.StatusForbidden {
			return verdict{state: Rejected, reason: event.ReasonRefused, detail: detail(a)}
		}
		// Our fault, not the event's: nobody was dialled, and the token has
		// to be mended first.
		v := again(a, attempt, attempts)
		v.credentials = true
		return v
	case callab.NotSent:
		v := again(a, attempt, attempts)
		v.hold = min(v.after, maxHold)
		return v
	}
	return verdict{state: Unknown, detail: detail(a)}
}

func again(a callab.Answer, attempt, attempts int) verdict {
	if attempt >= attempts {
		return verdict{state: Failed, reason: event.ReasonNotSent, detail: detail(a)}
	}
	return verdict{state: Free, detail: detail(a), after: max(backoff(attempt), min(a.RetryAfter, maxRetryAfter))}
}

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 5 * time.Minute
	// maxHold bounds how long the others wait for what stopped one: then one
	// of them finds out.
	maxHold = 30 * time.Second
	// maxRetryAfter bounds what we believe of a Retry-After.
	maxRetryAfter = time.Hour
)

// backoff doubles: 0.5 s after the first attempt, 5 min from the eleventh on.
func backoff(attempt int) time.Duration {
	if attempt > 10 {
		return maxBackoff
	}
	return min(firstBackoff<<(attempt-1), maxBackoff)
}

// detail is for people, and never holds a number that could be dialled.
func detail(a callab.Answer) string {
	if a.Err != nil {
		return event.Redact(a.Err.Error())
	}
	return event.Redact(a.Message)
}
