package bus

import (
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/event"
)

// RouteOf is a route and one of its sources.
type RouteOf struct{ Source, Route string }

// routeOutcomes are what a route decides most; their series exist from the start.
var routeOutcomes = []string{requested, string(event.Skipped), string(event.Rejected)}

func newRouteCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "callbridge_route_decisions_total", Help: "What routes decided about events and stored, by source, route and outcome.",
	}, []string{"source", "route", "outcome"})
}

// countRoute counts an item of a route. Its source and route are configured ones: only
// what handlers and lookup store is counted.
func (m *metrics) countRoute(item event.Item) {
	switch {
	case item.Request != nil:
		m.routes.WithLabelValues(item.Request.Event.Source, item.Request.Route, requested).Inc()
	case item.Result != nil && item.Result.Route != "":
		m.routes.WithLabelValues(item.Result.Event.Source, item.Result.Route, string(item.Result.Outcome)).Inc()
	}
}

// RouteMetric is the metric of what routes decided, with series for all configured
// routes. It asks for them at each scrape, because the configuration may be reloaded.
func (b *Bus) RouteMetric(configured func() []RouteOf) prometheus.Collector {
	return routeMetric{b.metrics.routes, configured}
}

type routeMetric struct {
	*prometheus.CounterVec
	configured func() []RouteOf
}

// Collect implements prometheus.Collector.
func (r routeMetric) Collect(out chan<- prometheus.Metric) {
	for _, c := range r.configured() {
		for _, outcome := range routeOutcomes {
			r.WithLabelValues(c.Source, c.Route, outcome)
		}
	}
	r.CounterVec.Collect(out)
}
