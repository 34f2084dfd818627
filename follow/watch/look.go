package watch

import (
	"context"
	"errors"
	"fmt"

	"callbridge/callab"
	"callbridge/dispatch/record"
	"callbridge/follow"
	"callbridge/follow/outcome"
	"callbridge/untrusted"
)

// one looks at a call, unless something about it is still to be written, and writes what
// has changed.
func (w *Watcher) one(ctx context.Context, calls *queue, c *call) {
	if !c.unwritten() {
		w.metrics.lag.Observe(max(0, w.config.Now().Sub(c.due).Seconds()))
		if err := w.look(ctx, calls, c); err != nil {
			w.retry(ctx, calls, c, err)
			return
		}
		w.config.point("looked")
	}
	if err := w.write(ctx, c); err != nil {
		w.retry(ctx, calls, c, err)
		return
	}
	calls.put(c, w.config.Pace.Next(c.state, w.config.Now()), c.state.Analysed)
}

func (w *Watcher) retry(ctx context.Context, calls *queue, c *call, err error) {
	if ctx.Err() == nil {
		w.log.Warn("follow.bus_trouble", "request_id", c.accepted.RequestID, "error", err)
	}
	calls.put(c, w.config.Now().Add(retryDelay), false)
}

func (c Config) point(name string) {
	if c.Point != nil {
		c.Point(name)
	}
}

// look looks at a call once. With an error nothing was seen, and the state is as before.
func (w *Watcher) look(ctx context.Context, calls *queue, c *call) error {
	id, err := w.idOf(ctx, c)
	if err != nil {
		return err
	}
	if id == "" {
		c.state.Report = outcome.Abandon(c.state.Report, "the id of the call is not known")
		c.state.Ended, c.state.Analysed = outcome.Unresolved, true
		return nil
	}
	found, err := w.api.GetCall(ctx, id)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l := follow.Look{At: w.config.Now(), Result: follow.Seen}
	var refusal *callab.Error
	if errors.As(err, &refusal) {
		l.RetryAfter = min(refusal.RetryAfter, w.config.Pace.Most)
		calls.pause(l.At.Add(l.RetryAfter))
	}
	switch {
	case err == nil:
		l.Report = w.config.Rules.Evaluate(found.Raw)
		w.noteWord(c, l.Report)
	case refusal != nil && refusal.Gone():
		l.Result = follow.Gone
	default:
		l.Result = follow.Failed
		w.log.Debug("follow.look_failed", "request_id", c.accepted.RequestID, "error", err)
	}
	w.metrics.looked(l)
	before := c.state
	c.state = w.config.Pace.After(c.state, l)
	// A status that went back keeps the object of the end.
	if l.Result == follow.Seen && l.Report.Problem == "" && c.state.Backwards == before.Backwards {
		c.object = found.Raw
	}
	return nil
}

// noteWord counts a status that no table has.
func (w *Watcher) noteWord(c *call, r outcome.Report) {
	if r.Problem != "" || r.Status.Known || r.Status.Value == "" {
		return
	}
	w.metrics.words.Inc()
	if c.state.Report.Status.Value != r.Status.Value {
		w.log.Warn("follow.unknown_status", "request_id", c.accepted.RequestID, "call_status", untrusted.Redact(untrusted.Line(r.Status.Value)),
			"hint", "the call stays open until FOLLOW_GIVE_UP")
	}
}

// idOf returns Callab's id of a call: from its accepted result, or from the ledger if it
// was left out there; "" if neither has one.
func (w *Watcher) idOf(ctx context.Context, c *call) (string, error) {
	var known callab.Call
	if known.UnmarshalJSON(c.accepted.Call) == nil && known.ID != "" {
		return known.ID, nil
	}
	e, err := w.bus.Ledger().Get(ctx, c.accepted.RequestID)
	if err != nil {
		return "", fmt.Errorf("read the id of a call: %w", err)
	}
	if known.UnmarshalJSON(record.Read(e.Data).Call) == nil {
		return known.ID, nil
	}
	return "", nil
}
