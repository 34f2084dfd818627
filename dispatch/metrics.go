package dispatch

import (
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/event"
)

// metrics have bounded labels only: states, outcomes and reasons, never a
// number or an id.
type metrics struct {
	attempts   *prometheus.CounterVec
	results    *prometheus.CounterVec
	reconciled *prometheus.CounterVec
	inFlight   prometheus.Gauge
	duration   prometheus.Histogram
	lead       prometheus.Histogram
	ledger     *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_attempts_total", Help: "Attempts to place a call, by the state they led to.",
		}, []string{"state"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_dial_results_total", Help: "Results that dispatch published, by outcome and reason.",
		}, []string{"outcome", "reason"}),
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
	}
	m.lead = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "callbridge_speed_to_lead_seconds", Help: "From the event, as the CRM dates it, to Callab's acceptance of the call.",
		Buckets: []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600},
	})
	m.ledger = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "callbridge_ledger_requests", Help: "Requests in the ledger by state, as the last sweep found them.",
	}, []string{"state"})
	m.oldest = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "callbridge_ledger_oldest_seconds", Help: "Age of the oldest record in a state, as the last sweep found it.",
	}, []string{"state"})
	for _, s := range allStates {
		m.ledger.WithLabelValues(string(s))
		m.oldest.WithLabelValues(string(s))
	}
	r.MustRegister(m.ledger, m.oldest, m.attempts, m.results, m.reconciled, m.inFlight, m.duration, m.lead)
	return m
}

// count counts a result that was published for the first time.
func (m *metrics) count(r event.Result) {
	m.results.WithLabelValues(string(r.Outcome), string(r.Reason)).Inc()
	if r.Outcome == event.Accepted && !r.Event.Time.IsZero() {
		// A CRM's clock may be ahead of ours.
		m.lead.Observe(max(r.Time.Sub(r.Event.Time), 0).Seconds())
	}
}
