package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
)

// sweepEvery is Config.SweepEvery where that is zero.
const sweepEvery = 5 * time.Minute

// sweepUntil looks through the ledger again and again, until ctx ends: it
// counts the states, and takes up what has made no progress. Nothing should
// have stopped: a request is delivered until it is done. But a consumer can be
// deleted, and an acknowledgement sent by somebody else.
func (d *Dispatcher) sweepUntil(ctx context.Context) {
	every := cmp.Or(d.config.SweepEvery, sweepEvery)
	// The first sweep tells the metrics; a part by chance keeps several
	// processes from sweeping at the same moment.
	for wait := every / 10; ; wait = every + rand.N(every/4) {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("dispatch.sweep_failed", "error", err)
		}
	}
}

// openStates are those in which a call has not come to its end.
var (
	openStates = []State{Claimed, Free, Unknown}
	allStates  = []State{Claimed, Free, Unknown, Accepted, Rejected, Parked, Failed}
)

func (d *Dispatcher) sweep(ctx context.Context) error {
	now, err := d.ledger.Now(ctx)
	if err != nil {
		return err
	}
	count, oldest := map[State]int{}, map[State]time.Duration{}
	var stuck []uuid.UUID
	err = d.ledger.Each(ctx, func(id uuid.UUID, e bus.Entry) error {
		var r Record
		if json.Unmarshal(e.Data, &r) != nil {
			return nil
		}
		age := now.Sub(e.Stored)
		count[r.State]++
		oldest[r.State] = max(oldest[r.State], age)
		if d.stuck(r, age, now) {
			stuck = append(stuck, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range allStates {
		d.metrics.ledger.WithLabelValues(string(s)).Set(float64(count[s]))
		d.metrics.oldest.WithLabelValues(string(s)).Set(oldest[s].Seconds())
	}
	for _, id := range stuck {
		d.takeUp(ctx, id)
	}
	return ctx.Err()
}

// stuck reports whether a record should have moved on by now, with time to
// spare. Taking up one that has not stopped is harmless: the ledger lets only
// one of two go on.
func (d *Dispatcher) stuck(r Record, age time.Duration, now time.Time) bool {
	patience := d.config.ClaimAge + d.config.Settle + d.bus.AckWait()
	if !slices.Contains(openStates, r.State) || age < patience {
		return false
	}
	return now.Sub(r.NotBefore) > patience
}

// takeUp does for a request what a delivery would have done.
func (d *Dispatcher) takeUp(ctx context.Context, id uuid.UUID) {
	stored, err := d.bus.StoredRequest(ctx, id)
	if errors.Is(err, bus.ErrGone) {
		d.log.Error("dispatch.request_gone", "request_id", id,
			"hint", "its request is not kept any more; look for the call in Callab's list")
		return
	}
	if err != nil {
		d.log.Warn("dispatch.sweep_failed", "request_id", id, "error", err)
		return
	}
	j, err := read(stored)
	if err != nil {
		return // a delivery rejects it
	}
	if _, twice := d.running.LoadOrStore(id, true); twice {
		return
	}
	defer d.running.Delete(id)
	r := d.advance(ctx, j, false)
	d.logOf(j).Warn("dispatch.taken_up", "done", r.done)
}
