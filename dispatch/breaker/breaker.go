// Package breaker holds all calls of this process while Callab cannot take one: a circuit
// breaker with the states closed, open and half-open. It opens when Callab refuses every
// call for a reason of its own (a token, a credit, a wrong address), and when the outcome
// of several calls in a row is unknown (an outage). It is half-open while one request, the
// probe, finds out whether calls are accepted again. It also pauses for a while when
// Callab throttles us. Without it an outage would use up every request in the queue
// (docs/decisions/0019-outage-of-callab.md). It imports nothing of this module.
package breaker

import (
	"context"
	"sync"
	"time"
)

// State of the breaker.
type State string

const (
	// Closed: calls are placed.
	Closed State = "closed"
	// Open: no call is placed until the next probe.
	Open State = "open"
	// HalfOpen: the next request is placed as the probe, or is being placed.
	HalfOpen State = "half-open"
)

// States are all states.
func States() []State { return []State{Closed, Open, HalfOpen} }

// Breaker is a circuit breaker. It is safe for concurrent use.
type Breaker struct {
	mu sync.Mutex
	// until is the end of a pause.
	until time.Time
	// status is the HTTP status of the refusal, 0 while calls are not refused.
	status int
	// outage: the outcome of the last calls is unknown.
	outage bool
	// unknowns counts the calls in a row whose outcome is unknown.
	unknowns int
	// failures counts the probes that failed since the breaker opened.
	failures int
	// probeAt is when the next request may be claimed; probing: one is.
	probeAt time.Time
	probing bool
	// accepted is when Callab last accepted a create call.
	accepted time.Time
	// ended is when the last outage ended.
	ended time.Time
	// changed is closed and replaced when the breaker may close earlier.
	changed chan struct{}
}

// New returns a closed breaker.
func New() *Breaker { return &Breaker{changed: make(chan struct{})} }

const (
	// TripAfter is the number of calls in a row with an unknown outcome that opens the
	// breaker.
	TripAfter = 3
	// FirstProbe is the wait before the first probe; it doubles up to MaxPause, and up to
	// maxOutage in an outage, where a probe may cost a request its certainty.
	FirstProbe = 2 * time.Second
	// MaxPause bounds how long one failed call pauses all others; the next call then
	// shows whether the cause is still there.
	MaxPause  = 30 * time.Second
	maxOutage = time.Minute
	// behindProbe keeps a refused request back, so that another one can be the
	// next probe: Callab may refuse this request only.
	behindProbe = time.Second
	// probeGrace is how long after probeAt a cause is still reported without a probe.
	// Without one no request waits.
	probeGrace = time.Minute
)

// Wait returns when claiming is allowed, or with ctx's error.
func (b *Breaker) Wait(ctx context.Context) error {
	for {
		remaining, changed := b.remaining()
		if remaining == 0 {
			return ctx.Err()
		}
		if err := waitFor(ctx, remaining, changed); err != nil {
			return err
		}
	}
}

// waitFor waits for d, changed or the end of ctx.
func waitFor(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C:
	}
	return ctx.Err()
}

// Enter is Wait for a request that is claimed next; Leave must follow. While the
// breaker is not closed, it lets through one request, the probe, and returns for the
// others at once when to try again: another process can take them. This process takes none
// meanwhile (Active), so that they may come back soon.
func (b *Breaker) Enter(ctx context.Context) (probe bool, again time.Duration, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, 0, err
		}
		t := b.turn()
		if t.again > 0 || t.wait == 0 {
			return t.probe, t.again, nil
		}
		if err := waitFor(ctx, t.wait, t.changed); err != nil {
			return false, 0, err
		}
	}
}

// turn is what one request may do now: be claimed, be claimed as the probe, wait
// for a while or a change, or be tried again later.
type turn struct {
	probe       bool
	wait, again time.Duration
	changed     <-chan struct{}
}

func (b *Breaker) turn() turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.left()
	switch {
	case b.held() && left > 0:
		return turn{again: behindProbe}
	case left > 0:
		return turn{wait: left, changed: b.changed}
	}
	b.probing = b.held()
	return turn{probe: b.probing}
}

// Held reports whether a request that has entered must not be claimed after all: it is not
// the probe, and the breaker has opened since. again is when to try it again.
func (b *Breaker) Held(probe bool) (again time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe || !b.held() {
		return 0
	}
	return behindProbe
}

// Leave ends a probe whose answer proved nothing, or that was not sent. After an answer
// that was reported it does nothing.
func (b *Breaker) Leave(probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe && b.probing {
		if b.outage {
			b.failures++
		}
		b.nextProbe()
	}
}

// held needs mu.
func (b *Breaker) held() bool { return b.status != 0 || b.outage }

// nextProbe needs mu.
func (b *Breaker) nextProbe() {
	longest := MaxPause
	if b.outage {
		longest = maxOutage
	}
	b.probing = false
	b.probeAt = time.Now().Add(min(FirstProbe<<min(b.failures, 10), longest))
	b.signal()
}

// signal needs mu.
func (b *Breaker) signal() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Refuse records that Callab refused a create call for a reason that is not the call's.
// It returns when the request may be claimed again, and whether this is news. An outage
// ends with it, if the call was the probe.
func (b *Breaker) Refuse(probe bool, status int) (again time.Time, news, outageOver bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unknowns = 0
	outageOver = probe && b.endOutage()
	switch {
	case b.status == 0:
		news, b.status, b.failures = true, status, 0
		b.nextProbe()
	case probe:
		b.status = status
		b.failures++
		b.nextProbe()
	}
	return b.probeAt.Add(behindProbe), news, outageOver
}

// Accept records that Callab accepted a create call, or refused it because of the call
// itself. It returns the HTTP status of the refusal that ends with it, or 0, and whether
// an outage does. While the breaker is not closed, only the probe counts: another call
// may have been sent before.
func (b *Breaker) Accept(probe bool) (refusal int, outageOver bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted, b.unknowns = time.Now(), 0
	if !b.held() || !probe {
		return 0, false
	}
	refusal, outageOver = b.status, b.endOutage()
	b.status, b.probing = 0, false
	b.signal()
	return refusal, outageOver
}

// Answered records an answer that proves only that there is no outage, as a 429.
func (b *Breaker) Answered(probe bool) (outageOver bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unknowns = 0
	if !probe || !b.endOutage() {
		return false
	}
	b.probing = false
	b.signal()
	return true
}

// endOutage needs mu.
func (b *Breaker) endOutage() bool {
	was := b.outage
	if was {
		b.outage, b.failures, b.ended = false, 0, time.Now()
	}
	return was
}

// Fail records that the outcome of a create call is unknown. It reports whether the
// breaker opens with it.
func (b *Breaker) Fail(probe bool) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unknowns++
	switch {
	case !b.outage && b.unknowns >= TripAfter:
		b.outage, b.failures = true, 0
		b.nextProbe()
		return true
	case b.outage && probe:
		b.failures++
		b.nextProbe()
	}
	return false
}

// Outage reports whether there is an outage, and when the last one ended. Without a request
// that could be the probe nothing is known of it, and now is false.
func (b *Breaker) Outage() (now bool, ended time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outage && !b.idle(), b.ended
}

// idle reports whether no request comes to be the probe. It needs mu.
func (b *Breaker) idle() bool { return !b.probing && time.Since(b.probeAt) > probeGrace }

// AcceptedSince reports whether a create call was accepted after a time.
func (b *Breaker) AcceptedSince(at time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !at.IsZero() && b.accepted.After(at)
}

// Active reports whether claiming has to wait.
func (b *Breaker) Active() bool {
	remaining, _ := b.remaining()
	return remaining > 0
}

// remaining is the longest time left, 0 if claiming is allowed, and a channel
// that is closed when the breaker may close earlier.
func (b *Breaker) remaining() (time.Duration, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left(), b.changed
}

// left needs mu.
func (b *Breaker) left() time.Duration {
	left := max(0, time.Until(b.until))
	switch {
	case b.probing:
		return time.Hour
	case b.held():
		return max(left, time.Until(b.probeAt))
	}
	return left
}

// Extend makes a pause that lasts at least d from now.
func (b *Breaker) Extend(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := time.Now().Add(d); until.After(b.until) {
		b.until = until
	}
}

// State returns the state of the breaker.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.held():
		return Closed
	case b.probing, time.Until(b.probeAt) <= 0:
		return HalfOpen
	}
	return Open
}

// Cause says why requests wait: the HTTP status of the refusal, or an outage. Both are
// zero if no request waits because of them.
func (b *Breaker) Cause() (status int, outage bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.idle() {
		return 0, false
	}
	return b.status, b.outage
}
