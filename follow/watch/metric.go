package watch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/follow"
	"callbridge/follow/outcome"
)

// metrics have bounded labels only. The gauges are those of the process that follows; 0 in
// the others.
type metrics struct {
	open, oldest prometheus.Gauge
	ended, looks *prometheus.CounterVec
	lag          prometheus.Histogram
	words        prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "callbridge_calls_open", Help: "Accepted calls whose end is not known yet.",
		}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "callbridge_calls_oldest_seconds", Help: "Time since the oldest of the open calls was accepted; 0 if none is open.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_calls_ended_total", Help: "Calls that have ended, by class.",
		}, []string{"class"}),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_follow_looks_total", Help: "Looks at calls, by what they found (seen, gone, failed).",
		}, []string{"found"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_follow_lag_seconds", Help: "From the time at which a call is to be looked at to the look.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600},
		}),
		words: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "callbridge_follow_unknown_words_total", Help: "Looks that found a status which is in no table.",
		}),
	}
	for _, class := range outcome.Classes() {
		m.ended.WithLabelValues(string(class))
	}
	for _, word := range found {
		m.looks.WithLabelValues(word)
	}
	if r != nil {
		r.MustRegister(m.open, m.oldest, m.ended, m.looks, m.lag, m.words)
	}
	return m
}

// found are the words for the results of looks.
var found = map[follow.Result]string{follow.Seen: "seen", follow.Gone: "gone", follow.Failed: "failed"}

func (m *metrics) looked(l follow.Look) { m.looks.WithLabelValues(found[l.Result]).Inc() }

func (m *metrics) show(open int, oldest time.Duration) {
	m.open.Set(float64(open))
	m.oldest.Set(max(0, oldest.Seconds()))
}

func (m *metrics) idle() { m.show(0, 0) }
