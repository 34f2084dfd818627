// Package metric has the metrics of placing calls.
package metric

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/dispatch/breaker"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/policy"
)

// Metrics have bounded labels only: states, outcomes and reasons, never a
// telephone number or an id.
type Metrics struct {
	Attempts   *prometheus.CounterVec
	results    *prometheus.CounterVec
	Verdicts   *prometheus.CounterVec
	Reconciled *prometheus.CounterVec
	InFlight   prometheus.Gauge
	Duration   prometheus.Histogram
	lead       prometheus.Histogram
	ledger     *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
	overdue    prometheus.Gauge
}

// New registers the metrics. State is that of the circuit breaker.
func New(r prometheus.Registerer, state func() breaker.State) *Metrics {
	m := &Metrics{
		Attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_attempts_total", Help: "Attempts to place a call, by the state they led to.",
		}, []string{"state"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_results_total", Help: "Results that dispatch published, by outcome and reason.",
		}, []string{"outcome", "reason"}),
		Verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_gate_verdicts_total", Help: "Judgements in the last moment before a claim, by what happens (go, wait, skip, reject) and the first gate that does not pass.",
		}, []string{"action", "gate"}),
		Reconciled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_reconciled_total", Help: "Unknown calls decided by Callab's list, by the state they led to.",
		}, []string{"state"}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "callbridge_dial_in_flight", Help: "Requests that this process is working on.",
		}),
		Duration: prometheus.NewHistogram(prometheus.HistogramOpts{
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
	m.SetLedger(nil, nil)
	m.SetWaiting(nil, 0)
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
	r.MustRegister(m.ledger, m.oldest, m.waiting, m.overdue, m.Attempts, m.results, m.Verdicts, m.Reconciled, m.InFlight, m.Duration, m.lead)
	return m
}

// startAtZero makes the usual series: a rule that compares two scrapes sees the first
// result only if its series is there before it.
func (m *Metrics) startAtZero() {
	for _, s := range record.States() {
		if s != record.Claimed && s != record.Waiting {
			m.Attempts.WithLabelValues(string(s))
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
	m.Verdicts.WithLabelValues(string(policy.Go), "")
	for _, s := range []record.State{record.Accepted, record.Free, record.Parked} {
		m.Reconciled.WithLabelValues(string(s))
	}
}

// Count counts a result that was published for the first time.
func (m *Metrics) Count(r event.Result) {
	m.results.WithLabelValues(string(r.Outcome), string(r.Reason)).Inc()
	if r.Outcome == event.Accepted && !r.Event.Time.IsZero() {
		// A CRM's clock may be ahead of ours.
		m.lead.Observe(max(r.Time.Sub(r.Event.Time), 0).Seconds())
	}
}

// SetLedger sets how many requests are in each state, and the age of the oldest.
func (m *Metrics) SetLedger(count map[record.State]int, oldest map[record.State]time.Duration) {
	for _, s := range record.States() {
		m.ledger.WithLabelValues(string(s)).Set(float64(count[s]))
		m.oldest.WithLabelValues(string(s)).Set(oldest[s].Seconds())
	}
}

// waitReasons are the reasons for which a request may wait.
var waitReasons = []event.Reason{
	event.ReasonStopped, event.ReasonOnCall, event.ReasonCoolingDown, event.ReasonCapped, event.ReasonOutsideHours, event.ReasonHoliday, event.ReasonUnread,
}

// SetWaiting sets how many requests wait for each reason, and for how long the first is due.
func (m *Metrics) SetWaiting(count map[event.Reason]int, overdue time.Duration) {
	for _, reason := range waitReasons {
		m.waiting.WithLabelValues(string(reason)).Set(float64(count[reason]))
	}
	m.overdue.Set(overdue.Seconds())
}
