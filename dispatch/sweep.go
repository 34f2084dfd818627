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
	"callbridge/dispatch/record"
	"callbridge/dispatch/tally"
	"callbridge/event"
	"callbridge/internal/wait"
	"callbridge/span"
)

// sweepEvery is the default of Config.SweepEvery.
const sweepEvery = time.Minute

// sweeper reads what was written into the ledger since its last sweep. One process at a
// time sweeps, over all processes: the one that holds the lease.
type sweeper struct {
	*Dispatcher
	slots *limit.Slots
	// lease is held, unless it is nil.
	lease *limit.Slot
	tally *tally.Tally
	// last is how far the ledger was read.
	last bus.Position
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
	s.reset()
	s.metrics.SetLedger(nil, nil)
	s.metrics.SetWaiting(nil, 0)
}

// reset has the next sweep read the whole ledger.
func (s *sweeper) reset() {
	s.tally.Reset()
	s.last = bus.Position{}
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
	if err := s.read(ctx, now); err != nil {
		return err
	}
	s.metrics.SetLedger(s.tally.States(now))
	s.metrics.SetWaiting(s.tally.Waiting(now))
	stuck, acked := s.tally.Stuck(now, s.config.ClaimAge+s.config.Settle+s.bus.AckWait())
	for _, id := range acked {
		s.waiting.Add(id, 0, false)
	}
	select {
	case s.busy <- struct{}{}:
		go func() {
			defer func() { <-s.busy }()
			s.resumeAll(ctx, stuck)
			s.giveUp(ctx, now)
		}()
	default: // the last sweep is still at it
	}
	return ctx.Err()
}

// read reads what is new in the ledger.
func (s *sweeper) read(ctx context.Context, now time.Time) error {
	add := func(id uuid.UUID, e bus.Entry) error {
		r := record.Read(e.Data)
		s.tally.Add(id, r, e.Stored)
		s.follow(id, r, now)
		return nil
	}
	last, anew, err := s.ledger.Since(ctx, s.last, add)
	if anew {
		s.reset()
		last, _, err = s.ledger.Since(ctx, bus.Position{}, add)
	}
	s.last = last
	return err
}

// follow has this process take up the requests that wait for another one, which may have
// been killed. If it was not, it goes first; where both are at it, the ledger decides.
func (s *sweeper) follow(id uuid.UUID, r record.Record, now time.Time) {
	var grace time.Duration
	add := s.waiting.Add
	switch {
	case r.State.IsFinal():
		s.waiting.Remove(id)
		return
	case r.State != record.Waiting || r.Owner == s.instance:
		return
	case !s.ownerHasEnded(r.Owner):
		add, grace = s.waiting.AddLast, cmp.Or(s.config.SweepEvery, sweepEvery)/2
	}
	if r.Reason == event.ReasonStopped {
		add(id, grace, true) // its stop may have ended
		return
	}
	s.remind(id, r, now.Add(-grace), add)
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
		err = errForgotten
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
	switch result, err := d.takeUp(ctx, id); {
	case errors.Is(err, errUnfit), errors.Is(err, errTaken):
	case err != nil:
		d.log.Warn("dispatch.sweep_failed", "request_id", id, "error", err)
	default:
		d.log.Warn("dispatch.taken_up", "request_id", id, "done", result.Ack)
	}
}

var (
	// errUnfit: the stored message is no request. Its next delivery rejects it.
	errUnfit = errors.New("the stored request cannot be read")
	// errForgotten: the request has ended long ago.
	errForgotten = errors.New("neither NATS nor the ledger has the request any more")
	// errTaken: this process works on the request already.
	errTaken = errors.New("the request is in progress")
)

// takeUp processes a stored request.
func (d *Dispatcher) takeUp(ctx context.Context, id uuid.UUID) (bus.Disposition, error) {
	stored, err := d.bus.StoredRequest(ctx, id)
	var r request
	switch {
	case errors.Is(err, bus.ErrGone):
		r, err = d.goneRequest(ctx, id)
	case err == nil:
		if r, err = parseRequest(stored); err != nil {
			return bus.Disposition{}, errUnfit
		}
	}
	if err != nil {
		return bus.Disposition{}, err
	}
	if _, taken := d.inProgress.LoadOrStore(id, true); taken {
		return bus.Disposition{}, errTaken
	}
	defer d.inProgress.Delete(id)
	return d.process(ctx, r, false), nil
}
