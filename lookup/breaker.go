package lookup

import (
	"sync"
	"time"
)

const (
	// openAfter is the number of different events in a row that the CRM does not answer
	// until the breaker opens. A single record that always fails does not open it.
	openAfter = 3
	// minOpen and maxOpen limit how long the breaker is open before the next probe. It
	// doubles with each probe that fails.
	minOpen, maxOpen = time.Second, 30 * time.Second
	// probeDelay is the delay of an event while another one is the probe.
	probeDelay = time.Second
)

// breaker is the circuit breaker of one CRM. While it is closed, all lookups are sent.
// While it is open, none is. Then it is half-open: one lookup at a time is sent, the
// probe, whose answer closes or opens it.
type breaker struct {
	mu sync.Mutex
	// failed are the events that the CRM did not answer since its last answer.
	failed map[string]bool
	last   outage
	// until is when the breaker becomes half-open; zero while it is closed.
	until time.Time
	// pause is for how long it was opened last.
	pause   time.Duration
	probing bool
}

// outage is a lookup that was not answered: how it failed, and when it was sent.
type outage struct {
	detail string
	sent   time.Time
}

func newBreaker() *breaker { return &breaker{failed: map[string]bool{}} }

// wait returns zero if a lookup may be sent. answered, unanswered or
// abandoned must follow then.
// Else it returns when to ask again.
func (b *breaker) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero():
		return 0
	case now.Before(b.until):
		return b.until.Sub(now)
	case b.probing:
		return probeDelay
	}
	b.probing = true
	return 0
}

// answered closes the breaker, and reports whether it was not closed.
func (b *breaker) answered() (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = !b.until.IsZero()
	b.until, b.pause, b.probing, b.last = time.Time{}, 0, false, outage{}
	clear(b.failed)
	return changed
}

// unanswered records that the CRM did not answer the lookup of an event. It reports
// whether the breaker was closed and is open now.
func (b *breaker) unanswered(id string, last outage, now time.Time) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = last
	if b.until.IsZero() {
		b.failed[id] = true
		opened = len(b.failed) >= openAfter
	}
	if opened || b.probing && !now.Before(b.until) {
		b.pause = min(max(2*b.pause, minOpen), maxOpen)
		b.until, b.probing = now.Add(b.pause), false
	}
	return opened
}

// abandoned ends a probe that was neither answered nor not answered: the process stops.
func (b *breaker) abandoned() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// open returns the last outage if the breaker is open or half-open.
func (b *breaker) open() (last outage, is bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, !b.until.IsZero()
}
