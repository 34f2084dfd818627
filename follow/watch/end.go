package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"callbridge/bus"
	"callbridge/bus/dnc"
	"callbridge/callab"
	"callbridge/dispatch/fit"
	"callbridge/event"
	"callbridge/follow/outcome"
)

// write writes what the state of a call says and the streams do not have yet, in a fixed
// order: the opt-out, the class in the memory of people, the result. Each step can be
// repeated, so a process that ends between two of them changes nothing in the end: another
// one looks again, and goes through all of them.
func (w *Watcher) write(ctx context.Context, c *call) error {
	if err := w.forbid(ctx, c); err != nil {
		return err
	}
	w.config.point("listed")
	if c.state.Ended != "" && c.ended == "" {
		if err := w.publish(ctx, c, event.Ended, c.state.Ended); err != nil {
			return err
		}
		c.ended = c.state.Ended
		w.config.point("ended")
	}
	if !c.state.Analysed || c.ended == outcome.Unresolved {
		return nil
	}
	class := c.state.Report.Class
	if class == outcome.Unresolved || class == "" {
		class = c.ended
	}
	return w.publish(ctx, c, event.Analysed, class)
}

// forbid puts a person on the do-not-call list after a request for no further call, also
// while the call is open.
func (w *Watcher) forbid(ctx context.Context, c *call) error {
	if c.state.Report.OptOut.Answer != outcome.Yes || c.listed || c.unlisted {
		return nil
	}
	number := c.number()
	if w.bus.DNC().Key.IsZero() || number == "" {
		c.unlisted = true
		w.log.Error("follow.opt_out_not_listed", "request_id", c.accepted.RequestID,
			"hint", "there is no do-not-call list without PERSON_KEY_FILE; make sure that the person is not called again")
		return nil
	}
	entry := dnc.Entry{By: "callbridge", Why: "asked for it in the call of request " + c.accepted.RequestID.String(), Since: w.config.Now().UTC()}
	if _, err := w.bus.DNC().Add(ctx, []string{number.Reveal()}, entry); err != nil {
		return fmt.Errorf("put a person on the do-not-call list: %w", err)
	}
	c.listed = true
	w.log.Info("follow.opt_out", "request_id", c.accepted.RequestID, "to", number)
	return nil
}

// number is the number of the person.
func (c *call) number() event.Phone {
	return event.Phone(event.Item{Result: &c.accepted}.CallTo())
}

// publish writes the class into the memory of people and then publishes the result.
func (w *Watcher) publish(ctx context.Context, c *call, what event.Outcome, class outcome.Class) error {
	if number := c.number(); number != "" {
		if err := w.bus.Memory().Ended(ctx, number.Reveal(), c.accepted.RequestID, string(class)); err != nil {
			return fmt.Errorf("remember how a call has ended: %w", err)
		}
	}
	w.config.point("remembered")
	if err := ctx.Err(); err != nil {
		return err
	}
	result, err := w.result(c, what, class)
	if err != nil {
		return err
	}
	err = w.bus.PublishResult(ctx, result)
	for _, shorten := range []func(event.Result) event.Result{fit.WithoutCall, fit.WithoutData} {
		if errors.Is(err, bus.ErrTooLarge) {
			result = shorten(result)
			err = w.bus.PublishResult(ctx, result)
		}
	}
	if err != nil && !errors.Is(err, bus.ErrExists) {
		return err
	}
	if err == nil && what == event.Ended {
		w.metrics.ended.WithLabelValues(string(class)).Inc()
		w.log.Info("call.ended", "request_id", c.accepted.RequestID, "source", c.accepted.Event.Source, "class", class)
	}
	return nil
}

// result is what became of a call, as a result.
func (w *Watcher) result(c *call, what event.Outcome, class outcome.Class) (event.Result, error) {
	r := c.accepted
	r.Outcome, r.Reason, r.Detail, r.Time = what, event.Reason(class), c.state.Report.Floor, w.config.Now()
	end := event.End{Class: event.Reason(class), Attempt: 1, Final: true, Accepted: c.state.Accepted.UTC(), Flags: c.flags()}
	if c.object != nil {
		answers, err := json.Marshal(c.state.Report)
		if err != nil {
			return r, fmt.Errorf("encode the answers of a call: %w", err)
		}
		end.Answers, r.Call = answers, c.object
	}
	var seen callab.Call
	if seen.UnmarshalJSON(c.object) == nil {
		end.Started, end.Ended = seen.StartedAt.Time, seen.EndedAt.Time
	}
	r.End = &end
	return r, nil
}

// flags are the words of event.End.Flags.
func (c *call) flags() (flags []string) {
	add := func(is bool, word string) {
		if is {
			flags = append(flags, word)
		}
	}
	r := c.state.Report
	add(r.OptOut.Answer == outcome.Yes, "opt_out")
	add(r.OptOut.Answer == outcome.Unclear && c.object != nil, "opt_out_unclear")
	add(c.unlisted, "opt_out_not_listed")
	add(c.state.Backwards > 0, "went_back")
	add(c.object != nil && !r.Status.Known, "status_unknown")
	add(r.RetryAt != nil, "callab_retries")
	return flags
}
