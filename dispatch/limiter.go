package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"callbridge/bus"
	"callbridge/callab"
)

// limiter enforces Config.Rate and Config.Concurrency.
type limiter interface {
	// acquire waits until one more call may be placed. release is called when
	// the call has ended. With an error, no call may be placed.
	acquire(ctx context.Context) (release func(), err error)
}

// newLimiter counts over all processes, except where NATS is embedded: then
// this process counts for itself.
func newLimiter(b *bus.Bus, config Config) limiter {
	if b.Embedded() {
		limit := rate.Inf
		if config.Rate > 0 {
			limit = rate.Limit(config.Rate)
		}
		return localLimiter{rate.NewLimiter(limit, 1)}
	}
	// The lease outlasts a call from its claim to Callab's last byte, so that
	// the slot of a process that was frozen meanwhile is not given away.
	l := sharedLimiter{slots: b.Slots(config.Concurrency, config.WriteWindow+config.CallTimeout+stopMargin)}
	if config.Rate > 0 {
		l.rate = b.Limiter(config.Rate)
	}
	return l
}

// localLimiter limits the rate of one process. The number of its workers
// already limits the concurrency.
type localLimiter struct{ tokens *rate.Limiter }

func (l localLimiter) acquire(ctx context.Context) (release func(), err error) {
	return func() {}, l.tokens.Wait(ctx)
}

// sharedLimiter limits all processes that share a NATS.
type sharedLimiter struct {
	slots *bus.Slots
	rate  *bus.Limiter // nil: no limit
}

// acquire takes the concurrency slot before the rate token: tokens collected
// while waiting for a slot would be spent in a burst.
func (l sharedLimiter) acquire(ctx context.Context) (release func(), err error) {
	slot, err := l.slots.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for DIAL_CONCURRENCY: %w", err)
	}
	if l.rate == nil {
		return slot.Release, nil
	}
	err = l.rate.Wait(ctx)
	if err == nil {
		err = slot.Renew(ctx)
	}
	if err != nil {
		slot.Release()
		return nil, fmt.Errorf("wait for DIAL_RATE: %w", err)
	}
	return slot.Release, nil
}

// pause stops the whole process from claiming: for a while, because Callab is
// down or throttles us, or until Callab accepts our credentials. Without it an
// outage would use up the attempts of every request in the queue.
type pause struct {
	mu      sync.Mutex
	until   time.Time
	refused bool
	// changed is closed and replaced when refused changes.
	changed chan struct{}
}

func newPause() *pause { return &pause{changed: make(chan struct{})} }

// wait returns when claiming is allowed, or with ctx's error.
func (p *pause) wait(ctx context.Context) error {
	for {
		remaining, changed := p.remaining()
		if remaining == 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(remaining)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
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
	if p.refused {
		return time.Hour, p.changed
	}
	return max(0, time.Until(p.until)), p.changed
}

// extend makes the pause last at least d from now.
func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// setCredentialsRefused pauses until it is called with false. It reports
// whether the value has changed.
func (p *pause) setCredentialsRefused(refused bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == refused {
		return false
	}
	p.refused = refused
	close(p.changed)
	p.changed = make(chan struct{})
	return true
}

func (p *pause) credentialsRefused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// credentialsEvery is the interval at which refused credentials are tried
// again. The client reads the token file each time.
const credentialsEvery = 2 * time.Second

// watchCredentials ends the pause once Callab accepts the token. It tries the
// token on a read of the call list, which places no call.
func (d *Dispatcher) watchCredentials(ctx context.Context) {
	tick := time.NewTicker(credentialsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !d.pause.credentialsRefused() {
			continue
		}
		if _, err := d.api.QueryCalls(ctx, callab.Query{PerPage: 1}); authenticated(err) {
			d.pause.setCredentialsRefused(false)
			d.log.Info("dispatch.credentials_accepted")
		}
	}
}

// authenticated reports whether Callab's answer shows that it accepts the
// token. A missing answer shows nothing.
func authenticated(err error) bool {
	var api *callab.Error
	if errors.As(err, &api) {
		return api.HTTPStatus != http.StatusUnauthorized && api.HTTPStatus != http.StatusForbidden
	}
	return err == nil
}
