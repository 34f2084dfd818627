package handlers

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/mapping"
)

type metrics struct {
	webhooks *prometheus.CounterVec
	events   *prometheus.CounterVec
	duration prometheus.Histogram
	// withoutMemory counts webhooks that were refused because of the budget.
	withoutMemory *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, current func() *mapping.Config) *metrics {
	m := &metrics{
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_webhooks_total", Help: "Webhooks received, by source and HTTP status.",
		}, []string{"source", "code"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_events_total", Help: "Events in accepted webhooks, by source and what was answered for them.",
		}, []string{"source", "status"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_webhook_duration_seconds", Help: "From the first byte of a webhook to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
	}
	m.withoutMemory = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "callbridge_webhooks_without_memory_total",
		Help: "Webhooks refused before verification because too much was held of others, by whose: of the same network, or of all.",
	}, []string{"limit"})
	for _, which := range []budgetError{networkFull, allFull} {
		m.withoutMemory.WithLabelValues(string(which))
	}
	r.MustRegister(perSource{m.webhooks, current, webhookCodes}, perSource{m.events, current, eventStatuses}, m.duration, m.withoutMemory)
	return m
}

// perSource has series for each configured source from the start: a rule that compares
// two scrapes sees the first event only if the series is there before it. It asks for the
// sources at each scrape, because the configuration may be reloaded.
type perSource struct {
	*prometheus.CounterVec
	current func() *mapping.Config
	values  func(*mapping.Source) []string // of the label beside source
}

// Collect implements prometheus.Collector.
func (p perSource) Collect(out chan<- prometheus.Metric) {
	for _, source := range p.current().Sources() {
		for _, value := range p.values(source) {
			p.WithLabelValues(source.Name(), value)
		}
	}
	p.CounterVec.Collect(out)
}

// webhookCodes are the answers of a source that the alerts ask for.
func webhookCodes(source *mapping.Source) []string {
	return []string{strconv.Itoa(source.Answer().Status), strconv.Itoa(http.StatusUnauthorized), strconv.Itoa(http.StatusServiceUnavailable)}
}

func eventStatuses(*mapping.Source) (all []string) {
	for _, s := range statuses {
		all = append(all, string(s))
	}
	return all
}
