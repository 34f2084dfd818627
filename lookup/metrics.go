package lookup

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	lookups  *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_lookups_total", Help: "Look-ups in a CRM, by source and what came of them.",
		}, []string{"source", "result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_lookup_duration_seconds", Help: "From the question to the CRM's answer.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}),
	}
	r.MustRegister(m.lookups, m.duration)
	return m
}
