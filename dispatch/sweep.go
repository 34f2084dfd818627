package dispatch

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/bus/limit"
	"callbridge/dispatch/tally"
	"callbridge/internal/wait"
	"callbridge/span"
)

// sweepEvery is the default of Config.SweepEvery.
const sweepEvery = 5 * time.Minute

// sweeper reads what was written into the ledger since its last sweep. One process at a
// time sweeps, over all processes: the one that holds the lease.
type sweeper struct {
	*Dispatcher
	slots *limit.Slots
	// lease is held, unless it is nil.
	lease *limit.Slot
	tally *tally.Tally
	// busy is held while stuck requests are taken up.
	busy chan struct{}
}

// sweepLoop sweeps the ledger until ctx ends. A request is redelivered until it
// is done, so nothing should be stuck; but a consumer can be deleted, and
// another client can acknowledge a request.
func (d *Dispatcher) sweepLoop(ctx context.Context) {
	every := cmp.Or(d.config.SweepEvery, sweepEvery)
	s := &sweeper{
		Dispatcher: d, tally: tally.New(2 * d.bus.Retention()), busy: make(chan struct{}, 1),
		slots: d.bus.Limits().Slots("sweep", 1, max(every/4, minSweepLease)),
	}
	defer s.release()
	// The first sweep comes early, for the metrics. A process without the lease looks
	// for it more often, so that another one that ends is soon replaced.
	for pause := every / 10; ; pause = every {
		if s.lease == nil {
			pause = min(pause, every/5)
		}
		if wait.For(ctx, pause+rand.N(pause/4)) != nil {
			return
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("dispatch.sweep_failed", "error", err)
		}
	}
}

// minSweepLease is the shortest lease, after which another process sweeps instead of
// one that was killed.
const minSweepLease = 2 * time.Second

// hold reports whether this process sweeps.
func (s *sweeper) hold(ctx context.Context) (bool, error) {
	if s.lease != nil && s.lease.Renew(ctx) == nil {
		return true, nil
	}
	s.release()
	var err error
	s.lease, err = s.slots.TryAcquire(ctx)
	return s.lease != nil, err
}

// release gives the lease back. Another process shows the gauges then.
func (s *sweeper) release() {
	if s.lease == nil {
		return
	}
	s.lease.Release()
	s.lease = nil
	s.tally.Reset()
	s.metrics.setLedger(nil, nil)
}

// sweep reads what is new in the ledger, sets the metrics of its states and has stuck
// requests taken up. It waits for none of them: Callab may not answer.
func (s *sweeper) sweep(ctx context.Context) error {
	if holds, err := s.hold(ctx); err != nil || !holds {
		return err
	}
	now, err := s.ledger.Now(ctx)
	if err != nil {
		return err
	}
	last, anew, err := s.ledger.Since(ctx, s.tally.Last, s.tally.Add)
	if anew {
		s.tally.Reset()
		last, _, err = s.ledger.Since(ctx, bus.Position{}, s.tally.Add)
	}
	s.tally.Last = last
	if err != nil {
		return err
	}
	s.metrics.setLedger(s.tally.States(now))
	select {
	case s.busy <- struct{}{}:
		stuck := s.tally.Stuck(now, s.config.ClaimAge+s.config.Settle+s.bus.AckWait())
		go func() {
			defer func() { <-s.busy }()
			s.resumeAll(ctx, stuck)
			s.giveUp(ctx, now)
		}()
	default: // the last sweep is still at it
	}
	return ctx.Err()
}

// giveUp ends the requests that have waited for almost as long as NATS keeps them.
func (s *sweeper) giveUp(ctx context.Context, now time.Time) {
	err := s.bus.UndoneRequests(ctx, now.Add(-s.patience()), func(delivery bus.Delivery) error {
		r, err := parseRequest(delivery)
		if err != nil {
			s.reject(r, err)
			return nil
		}
		if _, taken := s.inProgress.LoadOrStore(r.ID, true); !taken {
			defer s.inProgress.Delete(r.ID)
			s.process(ctx, r, false)
		}
		return ctx.Err()
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("dispatch.sweep_failed", "error", err)
	}
}

// goneRequest is what the ledger knows about a request that was deleted from its stream,
// by hand or by age. It is not dialled; what may have been sent is searched for.
func (d *Dispatcher) goneRequest(ctx context.Context, id uuid.UUID) (request, error) {
	e, err := d.load(ctx, id)
	if err == nil && e.revision == 0 {
		err = errors.New("neither NATS nor the ledger has the request any more")
	}
	if err != nil {
		return request{}, err
	}
	r := request{gone: true, stored: e.stored, trace: span.ContinueOf("", id)}
	r.ID, r.Event.Source = id, cmp.Or(e.Source, "unknown")
	d.logger(r).Error("dispatch.request_gone", "source", r.Event.Source, "state", e.State,
		"hint", "its request is no longer stored; it ends with a result all the same")
	return r, nil
}

// resume processes a stored request as if it had been delivered again.
func (d *Dispatcher) resume(ctx context.Context, id uuid.UUID) {
	stored, err := d.bus.StoredRequest(ctx, id)
	var r request
	switch {
	case errors.Is(err, bus.ErrGone):
		r, err = d.goneRequest(ctx, id)
	case err == nil:
		if r, err = parseRequest(stored); err != nil {
			return // the next delivery rejects it
		}
	}
	if err != nil {
		d.log.Warn("dispatch.sweep_failed", "request_id", id, "error", err)
		return
	}
	if _, taken := d.inProgress.LoadOrStore(id, true); taken {
		return
	}
	defer d.inProgress.Delete(id)
	result := d.process(ctx, r, false)
	d.logger(r).Warn("dispatch.taken_up", "done", result.Ack)
}
