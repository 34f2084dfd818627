package dispatch

import (
	"context"
	"time"

	"callbridge/dispatch/record"
	"callbridge/dispatch/waiting"
	"callbridge/event"
)

const (
	// youngRequest is the age up to which a request that the ledger does not know has not
	// been dialled by an earlier process.
	youngRequest = time.Minute
	// clockError is how far the age of a request may be wrong.
	clockError = time.Second
)

// final is how a request ends before it is dialled.
type final struct {
	// done: it has a result already.
	done bool
	// record is the final record of the ledger.
	record record.Record
}

// beforeDialling returns how a request ends that must not be dialled, or nil: its message
// was deleted, it has waited for as long as NATS keeps it, or it has a result of which the
// ledger does not know.
func (d *Dispatcher) beforeDialling(ctx context.Context, r request, e entry) (*final, error) {
	if r.gone {
		return notSent(e, "the request was deleted from its stream before it was dialled"), nil
	}
	now, err := d.clock.Now(ctx)
	if err != nil {
		return nil, err
	}
	age := now.Sub(r.stored)
	if r.stored.IsZero() {
		age = 0
	}
	if age >= d.patience() {
		return notSent(e, "the request has waited for "+age.Round(time.Minute).String()+", and is kept for "+d.bus.Retention().String()+" (RETENTION)"), nil
	}
	// The ledger may have lost its newest records in a power cut.
	if age < min(youngRequest, time.Since(d.begun))-clockError {
		return nil, nil
	}
	outcome, err := d.bus.ResultOf(ctx, r.Event.Source, r.ID)
	if err != nil || outcome == "" {
		return nil, err
	}
	d.logger(r).Warn("dispatch.result_found", "outcome", outcome, "hint", "the ledger does not know that this request has a result; no call is made")
	state := record.Of(outcome)
	if e.revision == 0 || state == record.None {
		return &final{done: true}, nil
	}
	return &final{record: record.Record{State: state, Attempt: e.Attempt, Detail: "taken from the result: the ledger had lost it"}}, nil
}

func notSent(e entry, detail string) *final {
	return &final{record: record.Record{State: record.Failed, Attempt: e.Attempt, Unsent: e.unsent(), Reason: event.ReasonNotSent, Detail: detail}}
}

// conclude ends a request with the answer of beforeDialling.
func (d *Dispatcher) conclude(ctx context.Context, r request, f *final, over entry, err error) (transition, error) {
	if err != nil {
		return transition{}, err
	}
	if f.done {
		return done(), nil
	}
	written, err := d.compareAndSet(ctx, r, f.record, over)
	if err != nil {
		return transition{}, err
	}
	return advance(written), nil
}

// patience is the age at which a request is given up.
func (d *Dispatcher) patience() time.Duration {
	return waiting.Patience(d.bus.Retention())
}
