package dispatch

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"

	"callbridge/bus"
)

// gate says when one more call may be placed. It is passed before the claim:
// a claim that waits loses its write window.
type gate interface {
	// enter waits until the rate and the concurrency allow a call. leave is
	// called when the call has ended. With an error, nobody dials.
	enter(ctx context.Context) (leave func(), err error)
}

// newGate counts over all processes where there may be several.
func newGate(b *bus.Bus, config Config) gate {
	if b.Embedded() {
		limit := rate.Inf
		if config.Rate > 0 {
			limit = rate.Limit(config.Rate)
		}
		return ownGate{rate.NewLimiter(limit, 1)}
	}
	// The lease outlasts a call from its claim to Callab's last byte, so that
	// the place of a process that froze in between is not given away.
	g := sharedGate{places: b.Slots(config.Concurrency, config.WriteWindow+config.CallTimeout+stopMargin)}
	if config.Rate > 0 {
		g.rate = b.Limiter(config.Rate)
	}
	return g
}

// ownGate is for the one process that embeds NATS: its workers are as many as
// may dial.
type ownGate struct{ limiter *rate.Limiter }

func (g ownGate) enter(ctx context.Context) (leave func(), err error) {
	return func() {}, g.limiter.Wait(ctx)
}

// sharedGate is for processes that share a NATS.
type sharedGate struct {
	places *bus.Slots
	rate   *bus.Limiter // nil: no limit
}

// enter takes the place first: tokens that were collected while no place was
// free would all go out at once.
func (g sharedGate) enter(ctx context.Context) (leave func(), err error) {
	place, err := g.places.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for DIAL_CONCURRENCY: %w", err)
	}
	if g.rate == nil {
		return place.Release, nil
	}
	err = g.rate.Wait(ctx)
	if err == nil {
		err = place.Renew(ctx)
	}
	if err != nil {
		place.Release()
		return nil, fmt.Errorf("wait for DIAL_RATE: %w", err)
	}
	return place.Release, nil
}
