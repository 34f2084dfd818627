package follow

import (
	"errors"
	"time"

	"callbridge/follow/outcome"
)

const (
	// goneLooks is how many looks in a row say that a call is gone, before it is: an
	// API may answer from a copy that does not have the call yet.
	goneLooks = 3
	// failedLooks is how many looks in a row fail at the end, before nothing more is
	// expected.
	failedLooks = 3
)

// Pace is how often a call is looked at.
type Pace struct {
	// First is the time from the acceptance to the first look.
	First time.Duration
	// Every is the time to the next look; it doubles with each look, up to Most.
	Every, Most time.Duration
	// GiveUp is the time after the acceptance from which an open call is unresolved.
	GiveUp time.Duration
}

// DefaultPace looks first after 20 s, when a telephone rings or has been answered, then
// after 30 s, 1 min, 2 min, 4 min and every 5 min, and gives up after 4 h.
func DefaultPace() Pace {
	return Pace{First: 20 * time.Second, Every: 30 * time.Second, Most: 5 * time.Minute, GiveUp: 4 * time.Hour}
}

// Validate returns what is wrong with a pace.
func (p Pace) Validate() error {
	switch {
	case p.First <= 0 || p.Every <= 0:
		return errors.New("the time to the next look must be above 0")
	case p.Most < p.Every:
		return errors.New("the longest time between two looks must not be below the shortest")
	case p.GiveUp < p.First || p.GiveUp < p.Most:
		return errors.New("a call must be followed for longer than the time between two looks")
	}
	return nil
}

// Next returns when to look at a call: never before now, and the zero time if it is not
// looked at any more. A call whose process was away is looked at once before it is given
// up, since giving up needs a look after that time.
func (p Pace) Next(s State, now time.Time) time.Time {
	if s.Analysed {
		return time.Time{}
	}
	at := s.Accepted.Add(p.First)
	switch {
	case !s.EndSeen.IsZero():
		at = earlier(s.Looked.Add(p.interval(s.Looks)), s.EndSeen.Add(outcome.SettleTime))
	case s.Looks > 0:
		at = earlier(s.Looked.Add(p.interval(s.Looks)), s.Accepted.Add(p.GiveUp))
	}
	if s.Looks > 0 {
		// After the last moment, looks that failed are repeated no faster than usual.
		at = later(at, s.Looked.Add(min(p.Every, p.interval(s.Looks))))
		at = later(at, s.Looked.Add(s.Wait))
	}
	return later(at, now)
}

// interval is the time between look n and the next one.
func (p Pace) interval(n int) time.Duration {
	d := p.Every
	for ; n > 1 && d < p.Most; n-- {
		d *= 2
	}
	return min(d, p.Most)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
