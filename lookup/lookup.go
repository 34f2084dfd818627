// Package lookup consumes events whose webhook has little more than an id: it
// fetches the record from the CRM's API, maps the event with it and stores the
// resulting calls and results. It runs outside of the webhook's request and
// may look up the same record twice, because a lookup changes nothing in a CRM.
// docs/decisions/0004-lookup.md lists its guarantees.
package lookup

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/mapping"
	"callbridge/span"
)

// maxSilence is the longest time without a sign of life of the workers while
// the process is ready.
const maxSilence = time.Minute

// Service makes the lookups of pending events.
type Service struct {
	bus       *bus.Bus
	mapping   func() *mapping.Config
	client    *http.Client
	tokens    *tokens
	responses *responseCache
	versions  *versionCache
	metrics   *metrics
	tracer    *span.Tracer
	log       *slog.Logger
	lastAlive atomic.Int64 // Unix nanoseconds

	// workers is their number since Run.
	workers atomic.Int64

	mu   sync.Mutex
	crms map[string]*crm // by source
}

// New makes a Service. current returns the configuration in force. A nil tracer
// records no spans.
func New(b *bus.Bus, current func() *mapping.Config, registry prometheus.Registerer, tracer *span.Tracer, log *slog.Logger) *Service {
	client := newClient()
	s := &Service{
		bus: b, mapping: current, client: client, tokens: newTokens(client),
		responses: newResponseCache(), versions: newVersionCache(), metrics: newMetrics(registry), tracer: tracer, log: log,
		crms: map[string]*crm{},
	}
	for _, source := range current().Sources() {
		for _, r := range []result{found, failed, refused, forbidden} {
			s.metrics.lookups.WithLabelValues(source.Name(), string(r))
		}
	}
	registry.MustRegister(heldCollector{s})
	s.alive()
	return s
}

// Run makes lookups until ctx ends. It aborts lookups in flight then; their
// events stay on the bus and are delivered again.
func (s *Service) Run(ctx context.Context) {
	workers := workersFor(s.sources())
	s.workers.Store(int64(workers))
	s.bus.ConsumeLookups(ctx, workers, bus.Worker{Handle: s.handle, Alive: s.alive, Log: s.log})
}

// Ready returns why no events at all are looked up, or nil.
func (s *Service) Ready() error {
	if silent := time.Since(time.Unix(0, s.lastAlive.Load())); silent > maxSilence {
		return fmt.Errorf("lookup has shown no sign of life for %s", silent.Round(time.Second))
	}
	return nil
}

// asking returns the configured sources that have lookups.
func (s *Service) asking() []*mapping.Source {
	return slices.DeleteFunc(s.mapping().Sources(), func(source *mapping.Source) bool { return !source.Asks() })
}

func (s *Service) sources() int { return len(s.asking()) }

// The causes for which the events of a source wait, labels of the metric.
const (
	byCredentials = "credentials"
	byBreaker     = "circuit_breaker"
)

// heldBy returns why the events of a source wait, by cause.
func (s *Service) heldBy(source string) map[string]string {
	c, held := s.crm(source), map[string]string{}
	if c.refused(time.Now()) {
		held[byCredentials] = "the CRM refuses our credentials: set working ones in auth; the events of the source wait"
	}
	if last, open := c.breaker.open(); open {
		held[byBreaker] = "the circuit breaker is open: " + last.detail + "; one lookup at a time finds out when the CRM answers again"
	}
	return held
}

// Held returns why the events of a source wait, by the name of the source.
func (s *Service) Held() map[string]string {
	all := map[string]string{}
	for _, source := range s.asking() {
		if held := s.heldBy(source.Name()); len(held) > 0 {
			all[source.Name()] = strings.Join(slices.Sorted(maps.Values(held)), "; ")
		}
	}
	return all
}

func (s *Service) alive() { s.lastAlive.Store(time.Now().UnixNano()) }

// crm returns what is known about the CRM of a source.
func (s *Service) crm(source string) *crm {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.crms[source]
	if !ok {
		c = newCRM()
		s.crms[source] = c
	}
	return c
}

type metrics struct {
	lookups  *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_lookups_total", Help: "Lookups in a CRM, by source and result.",
		}, []string{"source", "result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_lookup_duration_seconds", Help: "From the lookup's request to the CRM's response.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}),
	}
	r.MustRegister(m.lookups, m.duration)
	return m
}

var heldDesc = prometheus.NewDesc("callbridge_lookup_held",
	"1 while the events of a source wait because of its CRM, by cause, else 0.", []string{"source", "cause"}, nil)

// heldCollector has two series for each configured source, so that their number is
// bounded.
type heldCollector struct{ service *Service }

func (c heldCollector) Describe(to chan<- *prometheus.Desc) { to <- heldDesc }

func (c heldCollector) Collect(to chan<- prometheus.Metric) {
	for _, source := range c.service.mapping().Sources() {
		held := c.service.heldBy(source.Name())
		for _, cause := range []string{byCredentials, byBreaker} {
			value := 0.0
			if held[cause] != "" {
				value = 1
			}
			to <- prometheus.MustNewConstMetric(heldDesc, prometheus.GaugeValue, value, source.Name(), cause)
		}
	}
}
