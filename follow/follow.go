// Package follow decides how an accepted call is followed to its end: when to look at it
// again, when it has ended, and when to give up. It is pure: a State and a Look in, a
// State out. It neither looks at calls nor publishes what changed.
//
// A call goes from open to ended to analysed, and never back. GET /calls/{id} is the
// truth; a webhook of Callab may only cause a look.
//
//   - follow.go: the State of one call, and what a look changes
//   - pace.go: when to look
//   - again.go: whether another attempt may be considered
//   - outcome: what one call object says
//
// Of this module it imports follow/outcome only, and it reads no clock.
package follow

import (
	"fmt"
	"time"

	"callbridge/follow/outcome"
)

// Result is what a look found.
type Result int

// Results of looks.
const (
	// Failed: no call object could be read: no answer, an error, not JSON, 429.
	Failed Result = iota
	// Seen: the answer has the call object.
	Seen
	// Gone: Callab says that it does not have the call.
	Gone
)

// Look is one look at a call.
type Look struct {
	At     time.Time
	Result Result
	// Report is what the call object says, if Result is Seen.
	Report outcome.Report
	// RetryAfter is how long Callab asks to wait; 0 if it does not say.
	RetryAfter time.Duration
}

// State is what is known of one call. It is small enough to be stored with each change.
type State struct {
	// Accepted is when Callab accepted the call.
	Accepted time.Time `json:"accepted"`
	// Looked is the time of the last look, and Looks their number since the call was
	// accepted, or since its end was seen.
	Looked time.Time `json:"looked,omitzero"`
	Looks  int       `json:"looks,omitempty"`
	// Failures and Gone count the last looks in a row with that result.
	Failures int `json:"failures,omitempty"`
	Gone     int `json:"gone,omitempty"`
	// Wait is what Callab asked for with the last look.
	Wait time.Duration `json:"wait,omitempty"`
	// EndSeen is the time of the first look that saw a final status.
	EndSeen time.Time `json:"end_seen,omitzero"`
	// Backwards counts the looks that saw an open status after a final one.
	Backwards int `json:"backwards,omitempty"`
	// Report is that of the last look that counts.
	Report outcome.Report `json:"report"`
	// Ended is the class of the call, "" before its end is certain. It never changes.
	Ended outcome.Class `json:"ended,omitempty"`
	// Analysed is set when transcript and outcomes do not change any more. No look
	// follows.
	Analysed bool `json:"analysed,omitempty"`
}

// Begin returns the state of a call that was just accepted.
func Begin(accepted time.Time) State { return State{Accepted: accepted} }

// After returns the state after a look. The caller publishes the end of the call when
// Ended appears, and the analysis when Analysed does; the looks after that change nothing.
func (p Pace) After(s State, l Look) State {
	if s.Analysed {
		return s
	}
	if l.Result == Seen && l.Report.Problem != "" {
		l.Result = Failed // an object that cannot be read says nothing
	}
	s.Looked, s.Wait = l.At, l.RetryAfter
	s.Looks++
	switch l.Result {
	case Seen:
		s.Failures, s.Gone = 0, 0
		s = s.seen(l)
	case Gone:
		s.Failures, s.Gone = 0, s.Gone+1
	case Failed:
		// Gone stays: an outage between two looks does not bring a call back.
		s.Failures++
	}
	if s.Analysed {
		return s
	}
	if !s.EndSeen.IsZero() {
		return s.closing(l)
	}
	if why := p.givesUp(s); why != "" {
		s.Report = outcome.Abandon(s.Report, why)
		s.Ended, s.Analysed = outcome.Unresolved, true
	}
	return s
}

// seen returns the state after a look that read a call object.
func (s State) seen(l Look) State {
	report := l.Report
	report.OptOut = stronger(s.Report.OptOut, report.OptOut)
	switch {
	case !report.Final() && !s.EndSeen.IsZero():
		// A late event has overwritten the end. The end is kept; an opt-out that is
		// seen now counts.
		s.Backwards++
		s.Report.OptOut = report.OptOut
		return s
	case !report.Final():
		s.Report = report
		return s
	}
	before := s.Report
	if s.EndSeen.IsZero() {
		s.EndSeen, s.Looks = l.At, 1
	}
	s.Report = report
	s.Analysed = outcome.Settled(before, report, l.At.Sub(s.EndSeen))
	if s.Ended == "" && (report.Class != outcome.Unclassified || s.Analysed) {
		s.Ended = report.Class
	}
	return s
}

// closing ends the wait for the analysis of an ended call that cannot be read any more, or
// whose status has gone back.
func (s State) closing(l Look) State {
	if l.At.Sub(s.EndSeen) < outcome.SettleTime && s.Gone < goneLooks {
		return s
	}
	if s.Failures > 0 && s.Failures < failedLooks {
		return s
	}
	s.Analysed = true
	if s.Ended == "" {
		s.Ended = s.Report.Class
	}
	return s
}

// stronger returns the opt-out that forbids more: yes, then unclear, then no. What was seen
// once is not taken back by a later look.
func stronger(before, now outcome.Finding) outcome.Finding {
	if now.Answer == outcome.Yes || before.Answer == "" {
		return now
	}
	if before.Answer == outcome.Yes || before.Answer == outcome.Unclear {
		return before
	}
	return now
}

// givesUp returns why an open call is not followed any more, "" if it is.
func (p Pace) givesUp(s State) string {
	age := s.Looked.Sub(s.Accepted)
	switch {
	case s.Gone >= goneLooks && age >= p.Most:
		return "Callab does not have the call any more"
	case age < p.GiveUp:
		return ""
	case s.Failures > 0 && s.Failures < failedLooks:
		return "" // an error at the last moment is not the end
	case s.Failures > 0:
		return fmt.Sprintf("the call could not be read %s after it was accepted", p.GiveUp)
	}
	return fmt.Sprintf("no end was seen within %s", p.GiveUp)
}
