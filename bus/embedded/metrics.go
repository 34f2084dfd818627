package embedded

import "github.com/prometheus/client_golang/prometheus"

// collector reports what the monitor knows. A scrape costs nothing.
type collector struct {
	server *Server

	writable, accepting, used, limit, reserved, rewritten *prometheus.Desc
}

// Collector returns the metrics of the store.
func (s *Server) Collector() prometheus.Collector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("callbridge_store_"+name, help, nil, nil)
	}
	return collector{
		server:    s,
		writable:  describe("writable", "1 if the store of the embedded NATS takes writes, else 0."),
		accepting: describe("accepting", "1 if the store takes webhooks: it is writable and has room for them, else 0."),
		used:      describe("bytes", "Bytes of the messages in the store."),
		limit:     describe("limit_bytes", "Bytes that the store may have: NATS_MAX_STORE, or what the disk has room for if that is less."),
		reserved:  describe("reserved_bytes", "Bytes that accepted events need until they are done."),
		rewritten: describe("rewritten_blocks_total", "Blocks that nats-server has rewritten and that were flushed therefore."),
	}
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.writable, c.accepting, c.used, c.limit, c.reserved, c.rewritten} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	m := &c.server.monitor
	m.mu.Lock()
	writable := c.server.writableLocked() == nil
	accepting := c.server.takesLocked(smallest) == nil
	room := m.room
	m.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	gauge(c.writable, number(writable))
	gauge(c.accepting, number(accepting))
	gauge(c.used, float64(room.used))
	gauge(c.limit, float64(room.limit))
	gauge(c.reserved, float64(room.reserved))
	out <- prometheus.MustNewConstMetric(c.rewritten, prometheus.CounterValue, float64(c.server.Rewritten()))
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
