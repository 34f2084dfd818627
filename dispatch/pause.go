package dispatch

import (
	"context"
	"sync"
	"time"
)

// pause stops the whole process from claiming: for a while, because Callab is
// down or throttles us, or because it refuses our credentials. Without it an
// outage would use up the attempts of every request in the queue.
//
// While credentials are refused, one request at a time is claimed, at growing
// intervals: only the answer to its create call shows whether they are accepted
// again. A token may be allowed to read the list of calls and not to create one.
type pause struct {
	mu    sync.Mutex
	until time.Time
	// status is the HTTP status of the refusal, 0 while credentials are
	// accepted.
	status int
	// refusals counts the refused probes since then.
	refusals int
	// probeAt is when the next request may be claimed; probing: one is.
	probeAt time.Time
	probing bool
	// accepted is when Callab last accepted the credentials of a create call.
	accepted time.Time
	// changed is closed and replaced when the pause may end earlier.
	changed chan struct{}
}

func newPause() *pause { return &pause{changed: make(chan struct{})} }

const (
	// firstProbe is the wait before credentials that were refused are tried
	// again; it doubles up to maxPause.
	firstProbe = 2 * time.Second
	// behindProbe keeps a refused request back, so that another one can be the
	// next probe: the credentials may be refused for this request only.
	behindProbe = time.Second
	// probeGrace is how long after probeAt readiness waits for a probe. Without
	// one no request waits.
	probeGrace = time.Minute
)

// wait returns when claiming is allowed, or with ctx's error.
func (p *pause) wait(ctx context.Context) error {
	for {
		remaining, changed := p.remaining()
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

// enter is wait for a request that is claimed next; leave must follow. While
// credentials are refused, it lets through one request, the probe, and returns
// for the others at once when to try again: another process can take them.
func (p *pause) enter(ctx context.Context) (probe bool, again time.Duration, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, 0, err
		}
		t := p.turn()
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

func (p *pause) turn() turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.left()
	switch {
	case p.status != 0 && left > 0:
		return turn{again: min(left, maxPause) + behindProbe}
	case left > 0:
		return turn{wait: left, changed: p.changed}
	}
	p.probing = p.status != 0
	return turn{probe: p.probing}
}

// leave ends a probe whose answer proved nothing, or that was not sent. After
// refuse or accept it does nothing.
func (p *pause) leave(probe bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if probe && p.probing {
		p.nextProbe()
	}
}

// nextProbe needs mu.
func (p *pause) nextProbe() {
	p.probing = false
	p.probeAt = time.Now().Add(min(firstProbe<<min(p.refusals, 10), maxPause))
	p.signal()
}

// signal needs mu.
func (p *pause) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// refuse records that Callab refused the credentials of a create call. It
// returns when the request may be claimed again, and whether this is news.
func (p *pause) refuse(probe bool, status int) (again time.Time, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.status == 0:
		news, p.status, p.refusals = true, status, 0
		p.nextProbe()
	case probe:
		p.status = status
		p.refusals++
		p.nextProbe()
	}
	return p.probeAt.Add(behindProbe), news
}

// accept records that Callab accepted the credentials of a create call, and
// reports whether this ends a refusal. While they are refused, only the probe
// counts: another call may have been sent before.
func (p *pause) accept(probe bool) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted = time.Now()
	if p.status == 0 || !probe {
		return false
	}
	p.status, p.probing = 0, false
	p.signal()
	return true
}

// acceptedSince reports whether a create call was accepted after a time.
func (p *pause) acceptedSince(at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !at.IsZero() && p.accepted.After(at)
}

// active reports whether claiming has to wait.
func (p *pause) active() bool {
	remaining, _ := p.remaining()
	return remaining > 0
}

// remaining is the longest time left, 0 if claiming is allowed, and a channel
// that is closed when the pause may end earlier.
func (p *pause) remaining() (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left(), p.changed
}

// left needs mu.
func (p *pause) left() time.Duration {
	left := max(0, time.Until(p.until))
	switch {
	case p.probing:
		return time.Hour
	case p.status != 0:
		return max(left, time.Until(p.probeAt))
	}
	return left
}

// extend makes the pause last at least d from now.
func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// refused returns the HTTP status of the refusal while requests wait because of
// it, else 0.
func (p *pause) refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.probing && time.Since(p.probeAt) > probeGrace {
		return 0
	}
	return p.status
}
