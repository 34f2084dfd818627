package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"callbridge/bus/stream"

	"github.com/nats-io/nats.go/jetstream"
)

// A reservation is a rate token or a concurrency slot, each one subject of the stream
// "limits". The process that stores its first message has it, and it expires by itself
// (docs/decisions/0006-limits.md).

const (
	// slotPollInterval is how often a process looks for a free slot.
	slotPollInterval = 100 * time.Millisecond
	// releaseTimeout bounds the release of a slot. After it, the lease ends it.
	releaseTimeout = time.Second
	// tokenMemory is how much longer than its window a token is remembered, so
	// that a process with a slow clock does not get it a second time.
	tokenMemory = 10 * time.Second
	// tokenGrace is how long after its window a token may be received. Later ones
	// are dropped: they would be spent in a burst with the next ones.
	tokenGrace = time.Second
	// clockInterval is how often the server's clock is read.
	clockInterval = time.Minute
)

// reserve stores a token, or a lease at the given revision, which expires after
// ttl, rounded up to seconds. The error is ErrConflict if another process has it.
// After any other error it must not be used.
func (b *Bus) reserve(ctx context.Context, subject string, ttl time.Duration, revision uint64) (uint64, error) {
	rounded := (ttl + time.Second - 1).Truncate(time.Second)
	stored, err := b.write(ctx, subject, nil, revision, jetstream.WithMsgTTL(rounded))
	if stream.IsContended(err) {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w", subject, withHint(err))
	}
	return stored, nil
}

// Slots limits concurrency over all processes. A slot is held by a lease that its
// holder renews; the slots of a process that was killed are free after one lease.
type Slots struct {
	bus   *Bus
	n     int
	lease time.Duration
	// lock is held by the caller that looks for a free slot.
	lock chan struct{}
}

// Slots returns a limit of n. If processes use different limits, the largest limit
// applies.
func (b *Bus) Slots(n int, lease time.Duration) *Slots {
	return &Slots{bus: b, n: n, lease: lease, lock: make(chan struct{}, 1)}
}

// Acquire waits for a free slot. The caller must release it.
func (s *Slots) Acquire(ctx context.Context) (*Slot, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		free, err := s.free(ctx)
		if err != nil {
			return nil, err
		}
		for _, subject := range free {
			revision, err := s.bus.reserve(ctx, subject, s.lease, 0)
			if err == nil {
				return s.start(subject, revision), nil
			}
			if !errors.Is(err, ErrConflict) {
				return nil, err
			}
		}
		if err := sleep(ctx, slotPollInterval); err != nil {
			return nil, err
		}
	}
}

// free lists the free slots in random order, so that processes rarely compete for
// the same one.
func (s *Slots) free(ctx context.Context) (free []string, err error) {
	prefix := s.bus.config.Prefix + ".limit.place."
	info, err := s.bus.limits.Info(ctx, jetstream.WithSubjectFilter(prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("read slots: %w", err)
	}
	for _, i := range rand.Perm(s.n) {
		if subject := prefix + strconv.Itoa(i); info.State.Subjects[subject] == 0 {
			free = append(free, subject)
		}
	}
	return free, nil
}

func (s *Slots) start(subject string, revision uint64) *Slot {
	slot := &Slot{bus: s.bus, subject: subject, lease: s.lease, revision: revision}
	ctx, cancel := context.WithCancel(context.Background())
	slot.stop = cancel
	go slot.renewUntil(ctx)
	return slot
}

// Slot is one slot that this process holds.
type Slot struct {
	bus     *Bus
	subject string
	lease   time.Duration
	stop    context.CancelFunc

	mu       sync.Mutex
	revision uint64
}

// Renew begins a new lease. After an error another process may have the slot, now
// or soon.
func (s *Slot) Renew(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	revision, err := s.bus.reserve(ctx, s.subject, s.lease, s.revision)
	if err != nil {
		return fmt.Errorf("renew slot: %w", err)
	}
	s.revision = revision
	return nil
}

func (s *Slot) renewUntil(ctx context.Context) {
	for sleep(ctx, s.lease/3) == nil {
		// After a failure the next renewal tries again; the holder calls Renew itself.
		_ = s.Renew(ctx)
	}
}

// Release frees the slot, which must not be used afterwards.
func (s *Slot) Release() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	// By sequence, so that the message of a later holder is not deleted.
	_ = s.bus.limits.DeleteMsg(ctx, s.revision)
}

// Limiter limits a rate over all processes. Time is divided by the server's clock
// into windows of one token each; the process that stores the first message on a
// window's subject has the token. Within any second at most one more than the rate
// pass. Where a process or the server is slow, a token may come up to tokenGrace
// after its window, together with later ones.
type Limiter struct {
	bus    *Bus
	window time.Duration

	mu sync.Mutex
	// next is the first window that this process has not tried.
	next int64
	// offset is the server's clock minus ours, as read at readAt.
	offset time.Duration
	readAt time.Time
}

// Limiter returns a limit of perSecond, which must be positive. If processes use
// different limits, their rates add up.
func (b *Bus) Limiter(perSecond float64) *Limiter {
	return &Limiter{bus: b, window: max(1, time.Duration(float64(time.Second)/perSecond))}
}

// Wait blocks until this caller has a token. After an error it has none.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		n, start, err := l.nextWindow(ctx)
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Until(start)); err != nil {
			return err
		}
		subject := l.bus.config.Prefix + ".limit.rate." + strconv.FormatInt(int64(l.window), 10) + "." + strconv.FormatInt(n, 10)
		_, err = l.bus.reserve(ctx, subject, l.window+tokenMemory, 0)
		switch {
		case errors.Is(err, ErrConflict):
		case err != nil:
			return err
		case time.Since(start) < l.window+tokenGrace:
			return nil
		}
	}
}

// nextWindow gives each caller of this process another window, and its start by
// our clock.
func (l *Limiter) nextWindow(ctx context.Context) (n int64, start time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.readClock(ctx); err != nil {
		return 0, time.Time{}, err
	}
	now := time.Now()
	n = max(l.next, now.Add(l.offset).UnixNano()/int64(l.window))
	l.next = n + 1
	return n, time.Unix(0, n*int64(l.window)).Add(-l.offset), nil
}

// readClock measures the offset of the server's clock. By their own clocks, two
// processes could be in different windows at the same time.
func (l *Limiter) readClock(ctx context.Context) error {
	before := time.Now()
	if before.Sub(l.readAt) < clockInterval {
		return nil
	}
	info, err := l.bus.limits.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	now := time.Now()
	l.offset, l.readAt = info.TimeStamp.Sub(before.Add(now.Sub(before)/2)), now
	return nil
}

// sleep waits for a duration, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
