package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/event"
	"callbridge/span"
)

// report publishes the result of a final state, once: the subject is taken
// after that, and a copy is refused.
func (d *Dispatcher) report(ctx context.Context, j job, e entry) error {
	outcome, final := e.State.outcome()
	if !final {
		return nil
	}
	at := e.stored
	if at.IsZero() {
		at = time.Now()
	}
	result := event.Result{
		RequestID: j.request.ID, Outcome: outcome, Reason: e.Reason, Detail: e.Detail,
		Route: j.request.Route, Attempts: e.Attempt, Request: j.request.Call, Call: e.Call,
		Event: j.request.Event, Time: at,
	}
	// A state that was read may have been reported before the crash that
	// brought the request back.
	if !e.fresh && d.bus.HasResult(ctx, result) {
		return nil
	}
	telling := d.config.Tracer.Start(string(j.trace), span.Producer, "publish result")
	result.TraceParent = string(telling.Parent())
	if telling.Recorded() {
		defer func() {
			telling.End(append(j.attributes(), slog.String("callbridge.outcome", string(outcome)), slog.String("callbridge.reason", string(e.Reason)))...)
		}()
	}
	err := d.bus.PublishResult(context.WithoutCancel(ctx), result)
	if errors.Is(err, bus.ErrExists) {
		return nil
	}
	if err == nil {
		d.metrics.count(result)
	}
	return err
}

// logAttempt writes the one line of an attempt.
func (d *Dispatcher) logAttempt(j job, claim entry, a callab.Answer, v verdict, took time.Duration) {
	d.metrics.attempts.WithLabelValues(string(v.state)).Inc()
	d.metrics.duration.Observe(took.Seconds())
	d.log.LogAttrs(context.Background(), slog.LevelInfo, "call.attempted",
		slog.String("request_id", j.request.ID.String()), slog.String("trace_id", j.trace.TraceID()),
		slog.String("source", j.request.Event.Source), slog.String("route", j.request.Route),
		slog.Int("attempt", claim.Attempt), slog.Any("to", j.to()),
		slog.String("state", string(v.state)), slog.String("reason", string(v.reason)),
		slog.Int("http_status", a.HTTPStatus), slog.String("call_id", a.Call.ID), slog.String("detail", v.detail),
		slog.Int64("duration_ms", took.Milliseconds()))
}

// logOf is for the other lines about one request: they all name it, and the
// trace that began with its webhook.
func (d *Dispatcher) logOf(j job) *slog.Logger {
	return d.log.With("request_id", j.request.ID, "trace_id", j.trace.TraceID())
}
