package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/dispatch/breaker"
	"callbridge/dispatch/fit"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/policy"
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
		d.metrics.count(result)
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
	d.metrics.attempts.WithLabelValues(string(v.state)).Inc()
	d.metrics.duration.Observe(took.Seconds())
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

// metrics have bounded labels only: states, outcomes and reasons, never a
// telephone number or an id.
type metrics struct {
	attempts   *prometheus.CounterVec
	results    *prometheus.CounterVec
	verdicts   *prometheus.CounterVec
	reconciled *prometheus.CounterVec
	inFlight   prometheus.Gauge
	duration   prometheus.Histogram
	lead       prometheus.Histogram
	ledger     *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
	overdue    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, state func() breaker.State) *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_attempts_total", Help: "Attempts to place a call, by the state they led to.",
		}, []string{"state"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_results_total", Help: "Results that dispatch published, by outcome and reason.",
		}, []string{"outcome", "reason"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_gate_verdicts_total", Help: "Judgements in the last moment before a claim, by what happens (go, wait, skip, reject) and the first gate that does not pass.",
		}, []string{"action", "gate"}),
		reconciled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_reconciled_total", Help: "Unknown calls decided by Callab's list, by the state they led to.",
		}, []string{"state"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "callbridge_dial_in_flight", Help: "Requests that this process is working on.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_dial_duration_seconds", Help: "From the claim to Callab's answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}),
		lead: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_speed_to_lead_seconds", Help: "From the event, as the CRM dates it, to Callab's acceptance of the call.",
			Buckets: []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600},
		}),
		ledger: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "callbridge_ledger_requests", Help: "Requests in the ledger by state, as the last sweep found them.",
		}, []string{"state"}),
		oldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "callbridge_ledger_oldest_seconds", Help: "Age of the oldest record in a state, as the last sweep found it.",
		}, []string{"state"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "callbridge_waiting", Help: "Requests that wait because no call may be made now, by reason, as the last sweep found them.",
		}, []string{"reason"}),
		overdue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "callbridge_waiting_overdue_seconds", Help: "For how long the first of the waiting requests is due; 0 if none is. As the last sweep found it.",
		}),
	}
	m.setLedger(nil, nil)
	m.setWaiting(nil, 0)
	m.startAtZero()
	for _, s := range breaker.States() {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "callbridge_dial_breaker", Help: "1 for the state of the circuit breaker before Callab.",
			ConstLabels: prometheus.Labels{"state": string(s)},
		}, func() float64 {
			if state() == s {
				return 1
			}
			return 0
		}))
	}
	r.MustRegister(m.ledger, m.oldest, m.waiting, m.overdue, m.attempts, m.results, m.verdicts, m.reconciled, m.inFlight, m.duration, m.lead)
	return m
}

// startAtZero makes the usual series: a rule that compares two scrapes sees the first
// result only if its series is there before it.
func (m *metrics) startAtZero() {
	for s := range steps {
		if s != record.None && s != record.Claimed {
			m.attempts.WithLabelValues(string(s))
		}
	}
	for outcome, reasons := range map[event.Outcome][]event.Reason{
		event.Accepted: {event.ReasonCreated, event.ReasonFound}, event.Rejected: {event.ReasonRefused, event.ReasonBadRequest, event.ReasonBadNumber},
		event.Skipped: {event.ReasonRouteOff, event.ReasonDoNotCall}, event.Failed: {event.ReasonNotSent}, event.Unknown: {event.ReasonNotFound},
	} {
		for _, reason := range reasons {
			m.results.WithLabelValues(string(outcome), string(reason))
		}
	}
	m.verdicts.WithLabelValues(string(policy.Go), "")
	for _, s := range []record.State{record.Accepted, record.Free, record.Parked} {
		m.reconciled.WithLabelValues(string(s))
	}
}

// count counts a result that was published for the first time.
func (m *metrics) count(r event.Result) {
	m.results.WithLabelValues(string(r.Outcome), string(r.Reason)).Inc()
	if r.Outcome == event.Accepted && !r.Event.Time.IsZero() {
		// A CRM's clock may be ahead of ours.
		m.lead.Observe(max(r.Time.Sub(r.Event.Time), 0).Seconds())
	}
}

// setLedger sets how many requests are in each state, and the age of the oldest.
func (m *metrics) setLedger(count map[record.State]int, oldest map[record.State]time.Duration) {
	for s := range steps {
		if s != record.None {
			m.ledger.WithLabelValues(string(s)).Set(float64(count[s]))
			m.oldest.WithLabelValues(string(s)).Set(oldest[s].Seconds())
		}
	}
}

// waitReasons are the reasons for which a request may wait.
var waitReasons = []event.Reason{
	event.ReasonStopped, event.ReasonOnCall, event.ReasonCoolingDown, event.ReasonCapped, event.ReasonOutsideHours, event.ReasonHoliday, event.ReasonUnread,
}

// setWaiting sets how many requests wait for each reason, and for how long the first is due.
func (m *metrics) setWaiting(count map[event.Reason]int, overdue time.Duration) {
	for _, reason := range waitReasons {
		m.waiting.WithLabelValues(string(reason)).Set(float64(count[reason]))
	}
	m.overdue.Set(overdue.Seconds())
}
