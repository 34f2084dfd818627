// Package watch follows every accepted call to its end: it looks at calls by GET
// /calls/{id}, and publishes what became of them. Package follow decides when to look, and
// what a look means; package outcome reads the call object.
//
//   - watch.go: the process that follows, and the calls that are open
//   - queue.go: which call is looked at next
//   - look.go: one look
//   - end.go: what is written when a call has ended
//   - metric.go: metrics
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/bus/limit"
	"callbridge/callab"
	"callbridge/event"
	"callbridge/follow"
	"callbridge/follow/outcome"
	"callbridge/internal/wait"
)

// Config configures a Watcher.
type Config struct {
	// Rate is the number of requests a second to the API, over all processes.
	Rate float64
	// Pace is when a call is looked at.
	Pace follow.Pace
	// Rules read the call object.
	Rules *outcome.Rules
	// Now is the clock of calls, and Wait waits by it. Nil: that of this machine.
	Now  func() time.Time
	Wait func(context.Context, time.Duration) error
	// Lease is how long another process waits before it follows in place of one that was
	// killed; 30 s if zero.
	Lease time.Duration
	// Point is called between any two steps, for tests.
	Point func(string)
}

const (
	// lease is the default of Config.Lease.
	lease = 30 * time.Second
	// workers bounds the looks that wait for an answer at the same time.
	workers = 16
	// retryDelay is the pause after NATS has failed.
	retryDelay = 5 * time.Second
	// checkMade is how often the stream is compared with the one that was read.
	checkMade = time.Minute
)

// Watcher follows calls. One process at a time does, over all processes: the one that has
// the lease.
type Watcher struct {
	config  Config
	bus     *bus.Bus
	api     *callab.Client
	log     *slog.Logger
	metrics *metrics
	limiter *limit.Limiter
}

// New makes a Watcher. The registry may be nil.
func New(b *bus.Bus, api *callab.Client, c Config, r prometheus.Registerer, log *slog.Logger) (*Watcher, error) {
	if err := c.Pace.Validate(); err != nil {
		return nil, fmt.Errorf("follow calls: %w", err)
	}
	if c.Rate <= 0 {
		return nil, errors.New("follow calls: the rate must be above 0")
	}
	if c.Now == nil {
		c.Now, c.Wait = time.Now, wait.For
	}
	if c.Lease <= 0 {
		c.Lease = lease
	}
	if c.Rules == nil {
		c.Rules = outcome.Default()
	}
	store := b.Limits()
	store.Prefix += ".follow" // calls that are placed have tokens of their own
	return &Watcher{config: c, bus: b, api: api, log: log, metrics: newMetrics(r), limiter: store.Limiter(c.Rate)}, nil
}

// Run follows calls until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	slots := w.bus.Limits().Slots("follow", 1, w.config.Lease)
	for ctx.Err() == nil {
		slot, err := slots.TryAcquire(ctx)
		if slot != nil {
			err = w.hold(ctx, slot)
			slot.Release()
		}
		if err != nil && ctx.Err() == nil {
			w.log.Warn("follow.failed", "error", err, "hint", "calls are followed again in a few seconds")
		}
		_ = wait.For(ctx, min(retryDelay, w.config.Lease/2))
	}
}

// hold follows calls while this process has the lease. All that it knows is read from the
// stream of results at its beginning, so nothing is lost with a process.
func (w *Watcher) hold(ctx context.Context, slot *limit.Slot) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel(nil)
	calls := newQueue()
	defer w.metrics.idle()
	reader := w.bus.Calls()
	made, err := reader.Made(ctx)
	if err != nil {
		return err
	}
	parts.Go(func() { cancel(w.keep(ctx, slot, made)) })
	parts.Go(func() {
		cancel(reader.Each(ctx, func() { calls.start() }, func(r event.Result, stored time.Time) { calls.note(r, stored, w.config) }))
	})
	w.looks(ctx, calls, &parts)
	return context.Cause(ctx)
}

// keep renews the lease, and returns why this process must not follow any more.
func (w *Watcher) keep(ctx context.Context, slot *limit.Slot, made time.Time) error {
	every := w.config.Lease / 3
	for checked := time.Now(); ; {
		if err := wait.For(ctx, every); err != nil {
			return err
		}
		if err := slot.Renew(ctx); err != nil {
			return err
		}
		if time.Since(checked) < checkMade {
			continue
		}
		checked = time.Now()
		if now, err := w.bus.Calls().Made(ctx); err != nil || !now.Equal(made) {
			return errors.Join(errors.New("the stream of results was made again"), err)
		}
	}
}

// looks looks at each call when it is due, until ctx ends.
func (w *Watcher) looks(ctx context.Context, calls *queue, parts *sync.WaitGroup) {
	free := make(chan struct{}, workers)
	for ctx.Err() == nil {
		now := w.config.Now()
		w.metrics.show(calls.count(now))
		c, pause := calls.next(now)
		if c == nil {
			calls.wait(ctx, pause, w.config.Wait)
			continue
		}
		// What is only to be written needs no token.
		if !c.unwritten() && w.limiter.Wait(ctx) != nil {
			calls.put(c, w.config.Now().Add(retryDelay), false)
			_ = w.config.Wait(ctx, time.Second)
			continue
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		parts.Go(func() {
			defer func() { <-free }()
			w.one(ctx, calls, c)
		})
	}
}
