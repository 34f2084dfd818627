package policy

import (
	"slices"
	"time"
)

// Decide judges a request at an instant. A request that waits is to be judged again at
// Until: facts may have changed by then.
func Decide(p Policy, f Facts, now time.Time) Verdict {
	v := Verdict{Action: Go, Gates: make([]Finding, 0, len(gates))}
	if f.Unread != "" && now.Before(expiry(f)) {
		return Verdict{Action: Wait, Reason: Unread, Detail: f.Unread, Until: now.Add(askAgain)}
	}
	if f.Unread != "" {
		late := expired(p, f, now)
		return Verdict{Action: Skip, Reason: Expired, Detail: late.Value, Gates: []Finding{late}}
	}
	for _, g := range gates {
		found := g(p, f, now)
		v.Gates = append(v.Gates, found)
		if !found.Passes && v.Action == Go {
			v.Action, v.Reason, v.Detail = found.action, found.Gate, found.Value
		}
	}
	if v.Action != Wait {
		return v
	}
	until, ok := passes(p, f, now)
	if !ok {
		v.Action, v.Detail = Skip, v.Detail+"; afterwards no call is possible any more"
	}
	v.Until = until
	return v
}

// expiry is when a call is too late; a request that never expires has a far one.
func expiry(f Facts) time.Time {
	if f.Expires.IsZero() {
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return f.Expires
}

// Unread: a fact could not be read, so nothing is decided.
const Unread Reason = "unread"

// maxSteps bounds the search for an instant at which all gates pass: each step passes at
// least one of them.
const maxSteps = 100

// passes returns the first instant at which all gates let a call pass, as far as is known
// now: zero if a stop has no end, and false if a gate ends the request before that. A call
// that is open is taken to end by then.
func passes(p Policy, f Facts, now time.Time) (at time.Time, ok bool) {
	at = now
	for range maxSteps {
		next, endless := at, false
		for _, g := range gates {
			found := g(p, f, at)
			switch found.action {
			case Skip, Reject:
				return time.Time{}, false
			case Wait:
				endless = endless || found.Until.IsZero()
				next = later(next, found.Until)
			}
		}
		if endless {
			return time.Time{}, true
		}
		if !next.After(at) {
			return at, true
		}
		at, f.Calls = next, ended(f.Calls)
	}
	return time.Time{}, false
}

func ended(calls []Call) []Call {
	calls = slices.Clone(calls)
	for i := range calls {
		calls[i].Open = false
	}
	return calls
}
