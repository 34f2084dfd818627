package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// placeEvery is how often a process looks for a free place while there is none.
const placeEvery = 100 * time.Millisecond

// Slots are how many may be at work at the same time, over all processes that
// share one NATS. A place is a message with a life of one lease; whoever holds
// it writes it anew. A process that is killed gives its places back by silence.
type Slots struct {
	bus   *Bus
	n     int
	lease time.Duration
	// turn is held by the one caller of this process that looks.
	turn chan struct{}
}

// Slots makes a limit of n. Of processes whose limits differ, the largest
// holds.
func (b *Bus) Slots(n int, lease time.Duration) *Slots {
	return &Slots{bus: b, n: n, lease: lease, turn: make(chan struct{}, 1)}
}

// Acquire waits for a place. It must be left again.
func (p *Slots) Acquire(ctx context.Context) (*Slot, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		free, err := p.free(ctx)
		if err != nil {
			return nil, err
		}
		for _, subject := range free {
			revision, err := p.bus.take(ctx, subject, p.lease, 0)
			if err == nil {
				return p.hold(subject, revision), nil
			}
			if !errors.Is(err, ErrConflict) {
				return nil, err
			}
		}
		if err := sleep(ctx, placeEvery); err != nil {
			return nil, err
		}
	}
}

// free lists the places that nobody holds, in any order, so that processes do
// not all run for the same one.
func (p *Slots) free(ctx context.Context) (free []string, err error) {
	subject := p.bus.config.Prefix + ".limit.place."
	info, err := p.bus.limits.Info(ctx, jetstream.WithSubjectFilter(subject+"*"))
	if err != nil {
		return nil, fmt.Errorf("read places: %w", err)
	}
	for _, i := range rand.Perm(p.n) {
		if place := subject + strconv.Itoa(i); info.State.Subjects[place] == 0 {
			free = append(free, place)
		}
	}
	return free, nil
}

func (p *Slots) hold(subject string, revision uint64) *Slot {
	held := &Slot{bus: p.bus, subject: subject, lease: p.lease, revision: revision}
	ctx, cancel := context.WithCancel(context.Background())
	held.stop = cancel
	go held.keep(ctx)
	return held
}

// Slot is one place that is held.
type Slot struct {
	bus     *Bus
	subject string
	lease   time.Duration
	stop    context.CancelFunc

	mu       sync.Mutex
	revision uint64
}

// Renew begins a new lease. With an error the place may be another's by now,
// or soon.
func (p *Slot) Renew(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	revision, err := p.bus.take(ctx, p.subject, p.lease, p.revision)
	if err != nil {
		return fmt.Errorf("keep place: %w", err)
	}
	p.revision = revision
	return nil
}

// keep renews until the place is left.
func (p *Slot) keep(ctx context.Context) {
	for sleep(ctx, p.lease/3) == nil {
		// What fails is tried again, and Renew tells the holder.
		_ = p.Renew(ctx)
	}
}

// leaveTimeout is how long giving back may take; after it, the lease does it.
const leaveTimeout = time.Second

// Release gives the place back. It must not be used after that.
func (p *Slot) Release() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	// Only our own message: the sequence is of no other.
	_ = p.bus.limits.DeleteMsg(ctx, p.revision)
}
