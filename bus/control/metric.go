package control

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collectors are the metrics of what is stopped, by what active returns: the stops that
// are active, the oldest first. All processes that share a NATS report the same.
func Collectors(active func() []Stop) []prometheus.Collector {
	gauge := func(name, help string, value func([]Stop) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(active()) })
	}
	return []prometheus.Collector{
		gauge("callbridge_stopped", "Stops that are active: of everything, a source, a route or a country.",
			func(stops []Stop) float64 { return float64(len(stops)) }),
		gauge("callbridge_storm_stops", "Sources that callbridge has stopped by itself, because they made more requests than storm: allows.", storms),
		gauge("callbridge_stopped_seconds", "Time since the oldest active stop began; 0 if nothing is stopped.", oldest),
	}
}

func storms(stops []Stop) (n float64) {
	for _, s := range stops {
		if s.By == Storm {
			n++
		}
	}
	return n
}

func oldest(stops []Stop) float64 {
	if len(stops) == 0 {
		return 0
	}
	return max(0, time.Since(stops[0].Since).Seconds())
}
