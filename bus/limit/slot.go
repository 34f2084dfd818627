// Package limit keeps the limits of all processes that share a NATS together: the rate
// and the concurrency. A token or a slot is one subject of the stream "limits". The
// process that stores its first message has it, and it expires by itself
// (docs/decisions/0006-limits.md).
package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/stream"
	"callbridge/internal/wait"
)

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
	// writeTimeout bounds the wait for the acknowledgement of one write.
	writeTimeout = 4 * time.Second
)

// Store is the stream of tokens and slots.
type Store struct {
	JetStream jetstream.JetStream
	Stream    jetstream.Stream
	// Prefix of its subjects: "callbridge.limit".
	Prefix string
}

// errTaken: another process has the token or slot.
var errTaken = errors.New("taken by another process")

// reserve stores a token, or a lease at the given revision, which expires after
// ttl, rounded up to seconds. The error is errTaken if another process has it.
// After any other error it must not be used.
func (s Store) reserve(ctx context.Context, subject string, ttl time.Duration, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	rounded := (ttl + time.Second - 1).Truncate(time.Second)
	stored, err := s.JetStream.PublishMsg(ctx, &nats.Msg{Subject: subject}, jetstream.WithMsgTTL(rounded),
		jetstream.WithRetryAttempts(0), jetstream.WithExpectLastSequencePerSubject(revision))
	if stream.IsContended(err) {
		return 0, errTaken
	}
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w", subject, err)
	}
	return stored.Sequence, nil
}

// Slots limits concurrency over all processes. A slot is held by a lease that its
// holder renews; the slots of a process that was killed are free after one lease.
type Slots struct {
	store Store
	// prefix of the subjects of the slots, with a dot at its end.
	prefix string
	n      int
	lease  time.Duration
	// lock is held by the caller that looks for a free slot.
	lock chan struct{}
}

// Slots returns a semaphore of n slots; processes that use the same name share it. If
// they use different n, the largest applies.
func (s Store) Slots(name string, n int, lease time.Duration) *Slots {
	return &Slots{store: s, prefix: s.Prefix + "." + name + ".", n: n, lease: lease, lock: make(chan struct{}, 1)}
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
		slot, err := s.TryAcquire(ctx)
		if slot != nil || err != nil {
			return slot, err
		}
		if err := wait.For(ctx, slotPollInterval); err != nil {
			return nil, err
		}
	}
}

// TryAcquire returns a slot, or nil if none is free now. The caller must release it.
func (s *Slots) TryAcquire(ctx context.Context) (*Slot, error) {
	free, err := s.free(ctx)
	if err != nil {
		return nil, err
	}
	for _, subject := range free {
		revision, err := s.store.reserve(ctx, subject, s.lease, 0)
		if err == nil {
			return s.start(subject, revision), nil
		}
		if !errors.Is(err, errTaken) {
			return nil, err
		}
	}
	return nil, nil
}

// free lists the free slots in random order, so that processes rarely compete for
// the same one.
func (s *Slots) free(ctx context.Context) (free []string, err error) {
	info, err := s.store.Stream.Info(ctx, jetstream.WithSubjectFilter(s.prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("read slots: %w", err)
	}
	for _, i := range rand.Perm(s.n) {
		if subject := s.prefix + strconv.Itoa(i); info.State.Subjects[subject] == 0 {
			free = append(free, subject)
		}
	}
	return free, nil
}

func (s *Slots) start(subject string, revision uint64) *Slot {
	slot := &Slot{store: s.store, subject: subject, lease: s.lease, revision: revision}
	ctx, cancel := context.WithCancel(context.Background())
	slot.stop = cancel
	go slot.renewUntil(ctx)
	return slot
}

// Slot is one slot that this process holds.
type Slot struct {
	store   Store
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
	revision, err := s.store.reserve(ctx, s.subject, s.lease, s.revision)
	if err != nil {
		return fmt.Errorf("renew slot: %w", err)
	}
	s.revision = revision
	return nil
}

func (s *Slot) renewUntil(ctx context.Context) {
	for wait.For(ctx, s.lease/3) == nil {
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
	_ = s.store.Stream.DeleteMsg(ctx, s.revision)
}
