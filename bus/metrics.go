package bus

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus/control"
	"callbridge/bus/stream"
	"callbridge/event"
)

// metrics have no label for the source: any client that may publish to NATS could
// write arbitrary sources into subjects.
type metrics struct {
	decisions  *prometheus.CounterVec
	verdicts   *prometheus.CounterVec
	duplicates prometheus.Counter
	routes     *prometheus.CounterVec
}

// requested and pending are the outcomes of decisions that are not results.
const requested, pending = "requested", "pending"

func newMetrics() *metrics {
	m := &metrics{
		routes: newRouteCounter(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_decisions_total", Help: "What was decided about events and stored, by outcome and reason.",
		}, []string{"outcome", "reason"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_policy_verdicts_total", Help: "What the policy said about calls when they were decided, by the gate that does not pass and what follows (go, wait, skip).",
		}, []string{"gate", "action"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "callbridge_duplicates_total", Help: "Decisions that were not stored because they had been stored before.",
		}),
	}
	// A rule that compares two scrapes sees the first event only if the series is there
	// before it.
	m.decisions.WithLabelValues(requested, "")
	m.verdicts.WithLabelValues("", "go")
	for _, reason := range []event.Reason{event.ReasonNoRoute, event.ReasonDryRun} {
		m.decisions.WithLabelValues(string(event.Skipped), string(reason))
	}
	for _, reason := range []event.Reason{event.ReasonKeyReused, event.ReasonMissingField, event.ReasonBadField} {
		m.decisions.WithLabelValues(string(event.Rejected), string(reason))
	}
	return m
}

func (b *Bus) register(r prometheus.Registerer) {
	if r != nil {
		r.MustRegister(b.metrics.decisions, b.metrics.verdicts, b.metrics.duplicates, newQueues(b), newLost(b))
		r.MustRegister(control.Collectors(b.Stops)...)
		if b.server != nil {
			r.MustRegister(b.server.Collector())
		}
	}
}

// newLost makes the metric of a loss that is not acknowledged. All processes that share
// a NATS report the same.
func newLost(b *Bus) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_streams_lost", Help: "1 while a loss of streams in NATS, or their restore from a copy, is not acknowledged, else 0.",
	}, func() float64 {
		if b.Degraded() == "" {
			return 0
		}
		return 1
	})
}

// count counts an item that is stored, or was stored before.
func (m *metrics) count(item event.Item, seen bool) {
	if !seen {
		m.countRoute(item)
	}
	if v := item.Verdict; !seen && v.Action != "" {
		m.verdicts.WithLabelValues(string(v.Gate), v.Action).Inc()
	}
	switch {
	case seen:
		m.duplicates.Inc()
	case item.Request != nil:
		m.decisions.WithLabelValues(requested, "").Inc()
	case item.Pending != nil:
		m.decisions.WithLabelValues(pending, "").Inc()
	default:
		m.decisions.WithLabelValues(string(item.Result.Outcome), string(item.Result.Reason)).Inc()
	}
}

const (
	// depthMaxAge is how long a queue depth is reused: frequent scrapes must not
	// load NATS.
	depthMaxAge  = 5 * time.Second
	depthTimeout = 2 * time.Second
)

// queues collects the queue depths from NATS. All processes report the same values,
// so an aggregation must take their maximum and not the sum.
type queues struct {
	bus              *Bus
	messages, oldest *prometheus.Desc

	mu      sync.Mutex
	updated time.Time
	depth   map[string]depth // by consumer
}

// depth is the number of messages of one consumer that are not acknowledged, and
// the time since the oldest of them was stored.
type depth struct {
	messages uint64
	oldest   time.Duration
}

func newQueues(b *Bus) *queues {
	return &queues{
		bus: b,
		messages: prometheus.NewDesc("callbridge_queue_messages",
			"Messages in NATS that are not done yet, in work or waiting.", []string{"queue"}, nil),
		oldest: prometheus.NewDesc("callbridge_queue_oldest_seconds",
			"Age of the oldest message in NATS that is not done yet; 0 if there is none.", []string{"queue"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (q *queues) Describe(out chan<- *prometheus.Desc) { out <- q.messages; out <- q.oldest }

// Collect implements prometheus.Collector. It returns no value while NATS is
// unreachable: zero would look like an empty queue.
func (q *queues) Collect(out chan<- prometheus.Metric) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.updated) > depthMaxAge {
		q.update()
	}
	for name, d := range q.depth {
		out <- prometheus.MustNewConstMetric(q.messages, prometheus.GaugeValue, float64(d.messages), name)
		out <- prometheus.MustNewConstMetric(q.oldest, prometheus.GaugeValue, d.oldest.Seconds(), name)
	}
}

func (q *queues) update() {
	ctx, cancel := context.WithTimeout(context.Background(), depthTimeout)
	defer cancel()
	q.updated, q.depth = time.Now(), map[string]depth{}
	for _, c := range q.bus.config.settings().Consumers() {
		if d, err := q.bus.depth(ctx, c); err == nil {
			q.depth[c.Durable] = d
		}
	}
}

func (b *Bus) depth(ctx context.Context, c jetstream.ConsumerConfig) (depth, error) {
	consumer, err := b.js.Consumer(ctx, b.streamName(stream.Requests), c.Durable)
	if err != nil {
		return depth{}, err
	}
	info := consumer.CachedInfo()
	d := depth{messages: info.NumPending + uint64(info.NumAckPending)}
	// Without an answer it is 0: the number of messages is known all the same.
	d.oldest, _ = stream.Waited(ctx, b.requests, info)
	return d, nil
}
