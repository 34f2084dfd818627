package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/dispatch/fit"
	"callbridge/event"
	"callbridge/span"
)

// report publishes the result of a final state. The message is acknowledged
// only after that.
func (d *Dispatcher) report(ctx context.Context, r request, e entry) (transition, error) {
	d.giveBackUnsent(ctx, r, e)
	if err := d.publishResult(ctx, r, e); err != nil {
		return transition{}, err
	}
	point("reported")
	return done(), nil
}

// publishResult publishes the result of a final entry once: its subject accepts
// one message, and a second one is refused.
func (d *Dispatcher) publishResult(ctx context.Context, r request, e entry) error {
	result := resultOf(r, e)
	// An entry that was read may have been reported before the crash that
	// caused the redelivery. A result of another outcome is never followed by a second one.
	if !e.fresh {
		outcome, err := d.bus.ResultOf(ctx, r.Event.Source, r.ID)
		if err != nil {
			return err
		}
		if outcome != "" {
			return nil
		}
	}
	return d.publish(ctx, r, result, d.bus.PublishResult)
}

// publish publishes a result, without what does not fit into NATS, and counts it if it was
// not published before.
func (d *Dispatcher) publish(ctx context.Context, r request, result event.Result, publish func(context.Context, event.Result) error) error {
	s := d.config.Tracer.Start(string(r.trace), span.Producer, "publish result")
	result.TraceParent = string(s.Parent())
	if s.Recorded() {
		defer func() {
			s.End(append(r.attributes(), slog.String("callbridge.outcome", string(result.Outcome)), slog.String("callbridge.reason", string(result.Reason)))...)
		}()
	}
	err := publish(context.WithoutCancel(ctx), result)
	for _, shorten := range []func(event.Result) event.Result{fit.WithoutCall, fit.WithoutData} {
		if errors.Is(err, bus.ErrTooLarge) {
			result = shorten(result)
			err = publish(context.WithoutCancel(ctx), result)
		}
	}
	if errors.Is(err, bus.ErrExists) {
		return nil
	}
	if err == nil {
		d.metrics.Count(result)
	}
	return err
}

// resultOf is the result that an entry leads to.
func resultOf(r request, e entry) event.Result {
	at := e.stored
	if at.IsZero() {
		at = time.Now()
	}
	return event.Result{
		RequestID: r.ID, Outcome: e.State.Outcome(), Reason: e.Reason, Detail: e.Detail,
		Route: r.Route, Attempts: e.Attempt, Request: r.Call, Call: e.Call, Gates: e.Gates,
		Config: cmp.Or(e.Config, r.Config), Event: r.Event, Time: at,
	}
}

// maxKept is the number of characters that are kept of a text of others.
const maxKept = 256

// logAttempt writes the single log line of an attempt.
func (d *Dispatcher) logAttempt(r request, claim entry, a callab.Answer, v verdict, took time.Duration) {
	d.metrics.Attempts.WithLabelValues(string(v.state)).Inc()
	d.metrics.Duration.Observe(took.Seconds())
	d.log.LogAttrs(context.Background(), slog.LevelInfo, "call.attempted",
		slog.String("request_id", r.ID.String()), slog.String("trace_id", r.trace.TraceID()),
		slog.String("source", r.Event.Source), slog.String("route", r.Route), slog.String("config_hash", r.Config),
		slog.Int("attempt", claim.Attempt), slog.Any("to", r.callTo),
		slog.String("state", string(v.state)), slog.String("reason", string(v.reason)),
		slog.Int("http_status", a.HTTPStatus), slog.String("call_id", a.Call.ID), slog.String("detail", v.detail),
		slog.Int64("duration_ms", took.Milliseconds()))
}

// logger adds the request and its trace to a log line.
func (d *Dispatcher) logger(r request) *slog.Logger {
	return d.log.With("request_id", r.ID, "trace_id", r.trace.TraceID())
}
