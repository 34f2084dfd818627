package limit

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"callbridge/internal/wait"
)

// Limiter limits a rate over all processes. Time is divided by the server's clock
// into windows of one token each; the process that stores the first message on a
// window's subject has the token. Within any second at most one more than the rate
// pass. Where a process or the server is slow, a token may come up to tokenGrace
// after its window, together with later ones.
type Limiter struct {
	store  Store
	clock  *Clock
	window time.Duration

	mu sync.Mutex
	// next is the first window that this process has not tried.
	next int64
}

// Limiter returns a limit of perSecond, which must be positive. If processes use
// different limits, their rates add up.
func (s Store) Limiter(perSecond float64) *Limiter {
	return &Limiter{store: s, clock: s.Clock(), window: max(1, time.Duration(float64(time.Second)/perSecond))}
}

// Wait blocks until this caller has a token. After an error it has none.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		// Both are measured by the monotonic clock: a local clock that is set back must
		// not hold the caller, nor the slot that it has meanwhile.
		asked := time.Now()
		now, err := l.clock.Now(ctx)
		if err != nil {
			return err
		}
		n, pause := l.nextWindow(now)
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
		subject := l.store.Prefix + ".rate." + strconv.FormatInt(int64(l.window), 10) + "." + strconv.FormatInt(n, 10)
		_, err = l.store.reserve(ctx, subject, l.window+tokenMemory, 0)
		switch {
		case errors.Is(err, errTaken):
		case err != nil:
			return err
		case time.Since(asked)-pause < l.window+tokenGrace:
			return nil
		}
	}
}

// nextWindow gives each caller of this process another window, and how long after now
// it begins: zero or less for the window of now.
func (l *Limiter) nextWindow(now time.Time) (n int64, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = max(l.next, now.UnixNano()/int64(l.window))
	l.next = n + 1
	return n, time.Duration(n*int64(l.window) - now.UnixNano())
}
