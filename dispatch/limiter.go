package dispatch

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"

	"callbridge/bus"
	"callbridge/bus/limit"
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
		return localLimiter{rate.NewLimiter(limit, 1), b.Share, make(chan struct{}, config.Concurrency)}
	}
	// The lease outlasts a call from its claim to Callab's last byte, so that
	// the slot of a process that was frozen meanwhile is not given away.
	l := sharedLimiter{slots: b.Slots(config.Concurrency, config.WriteWindow+config.CallTimeout+stopMargin), share: b.Share}
	if config.Rate > 0 {
		l.rate = b.Limiter(config.Rate)
	}
	return l
}

// localLimiter limits the rate and the concurrency of one process.
type localLimiter struct {
	rate *rate.Limiter
	// share is the share of the rate that may be used now.
	share func() float64
	// slots holds one value for each call that is placed now.
	slots chan struct{}
}

func (l localLimiter) acquire(ctx context.Context) (release func(), err error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := take(ctx, l.rate, l.share()); err != nil {
		<-l.slots
		return nil, err
	}
	return func() { <-l.slots }, nil
}

// take takes the tokens of one call.
func take(ctx context.Context, from interface{ Wait(context.Context) error }, share float64) error {
	for range tokens(share) {
		if err := from.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sharedLimiter limits all processes that share a NATS.
type sharedLimiter struct {
	slots *limit.Slots
	rate  *limit.Limiter // nil: no limit
	share func() float64
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
	err = take(ctx, l.rate, l.share())
	if err == nil {
		err = slot.Renew(ctx)
	}
	if err != nil {
		slot.Release()
		return nil, fmt.Errorf("wait for DIAL_RATE: %w", err)
	}
	return slot.Release, nil
}
