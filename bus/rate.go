package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

const (
	// tokenAge is how much longer than its window a token is remembered, so
	// that a process whose clock is behind does not get it again.
	tokenAge = 10 * time.Second
	// tokenLate is how long after its window a token may arrive. One that
	// comes later would go out together with its successors.
	tokenLate = time.Second
	// clockEvery is how often the server's clock is asked for.
	clockEvery = time.Minute
)

// Limiter lets so many through in a second, over all processes that share one
// NATS. Time is cut into windows of one token each, by the server's clock; who
// stores the first message on a window's subject has its token. In any second
// at most one more than the rate gets through; where we or the server were slow
// a token may come up to tokenLate after its window, together with later ones.
type Limiter struct {
	bus    *Bus
	window time.Duration

	mu sync.Mutex
	// next is the first window that nobody here has asked for.
	next int64
	// ahead is how far the server's clock is ahead of ours, as of asked.
	ahead time.Duration
	asked time.Time
}

// Limiter makes a limit of perSecond, which must be above zero. Processes whose
// limits differ do not see each other's tokens.
func (b *Bus) Limiter(perSecond float64) *Limiter {
	return &Limiter{bus: b, window: max(1, time.Duration(float64(time.Second)/perSecond))}
}

// Wait returns when one more may go. With an error, none may: without NATS
// there are no tokens.
func (r *Limiter) Wait(ctx context.Context) error {
	for {
		n, start, err := r.reserve(ctx)
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Until(start)); err != nil {
			return err
		}
		subject := r.bus.config.Prefix + ".limit.rate." + strconv.FormatInt(int64(r.window), 10) + "." + strconv.FormatInt(n, 10)
		_, err = r.bus.take(ctx, subject, r.window+tokenAge, 0)
		switch {
		case errors.Is(err, ErrConflict):
		case err != nil:
			return err
		case time.Since(start) < r.window+tokenLate:
			return nil
		}
	}
}

// reserve gives each caller of this process a window of its own to ask for, and
// when it begins on our clock.
func (r *Limiter) reserve(ctx context.Context) (n int64, start time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.compareClocks(ctx); err != nil {
		return 0, time.Time{}, err
	}
	now := time.Now()
	n = max(r.next, now.Add(r.ahead).UnixNano()/int64(r.window))
	r.next = n + 1
	return n, time.Unix(0, n*int64(r.window)).Add(-r.ahead), nil
}

// compareClocks asks for the server's time once in a while: with clocks of
// their own, two processes would be in different windows at the same moment.
func (r *Limiter) compareClocks(ctx context.Context) error {
	before := time.Now()
	if before.Sub(r.asked) < clockEvery {
		return nil
	}
	info, err := r.bus.limits.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	now := time.Now()
	r.ahead, r.asked = info.TimeStamp.Sub(before.Add(now.Sub(before)/2)), now
	return nil
}
