// Package lookup is the step "ask the CRM": it takes an event whose webhook is
// little more than an id, asks the CRM's API about it, and maps it with the
// answer. It works off the request path, from the bus to the bus, and may ask
// twice: a question changes nothing in a CRM. What it promises, and what not,
// is in docs/decisions/0004-lookup.md.
package lookup

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/mapping"
	"callbridge/span"
)

// workers is how many look-ups this process makes at the same time. The pace
// of each source is bounded by its rate.
const workers = 4

// Finder makes look-ups.
type Finder struct {
	bus      *bus.Bus
	mapping  func() *mapping.Config
	client   *http.Client
	tokens   *tokens
	answers  *answers
	versions *versions
	metrics  *metrics
	tracer   *span.Tracer
	log      *slog.Logger
	beat     atomic.Int64

	mu    sync.Mutex
	gates map[string]*gate // by source
}

// New makes a Finder. current gives the configuration in force; without a
// tracer no spans are recorded.
func New(b *bus.Bus, current func() *mapping.Config, registry prometheus.Registerer, tracer *span.Tracer, log *slog.Logger) *Finder {
	client := newClient()
	f := &Finder{
		bus: b, mapping: current, client: client, tokens: newTokens(client),
		answers: newAnswers(), versions: newVersions(), metrics: newMetrics(registry), tracer: tracer, log: log,
		gates: map[string]*gate{},
	}
	for _, source := range current().Sources() {
		f.metrics.lookups.WithLabelValues(source.Name(), string(found))
	}
	f.alive()
	return f
}

// Run makes look-ups until ctx ends. Questions that are on their way are given
// up then, and asked again by whoever comes next.
func (f *Finder) Run(ctx context.Context) {
	handle := func(ctx context.Context, d bus.Delivery) bus.Disposition {
		done, again := f.handle(ctx, d)
		return bus.Disposition{Ack: done, Redeliver: again}
	}
	f.bus.ConsumeLookups(ctx, workers, bus.Worker{Handle: handle, Alive: f.alive, Log: f.log})
}

// maxSilence is how long the workers may show no sign of life before
// readiness says so.
const maxSilence = time.Minute

// Ready says why events are not being looked up, or nil.
func (f *Finder) Ready() error {
	if held := f.held(time.Now()); len(held) > 0 {
		return fmt.Errorf("the CRM refuses our credentials for %q: set working ones in its auth; its events wait", held)
	}
	if silent := time.Since(time.Unix(0, f.beat.Load())); silent > maxSilence {
		return fmt.Errorf("lookup has shown no sign of life for %s", silent.Round(time.Second))
	}
	return nil
}

func (f *Finder) alive() { f.beat.Store(time.Now().UnixNano()) }

// gate is the one through which all look-ups of a source go.
func (f *Finder) gate(source string) *gate {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.gates[source]
	if !ok {
		g = newGate()
		f.gates[source] = g
	}
	return g
}

// held are the sources whose credentials are refused.
func (f *Finder) held(now time.Time) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var held []string
	for source, g := range f.gates {
		if g.held(now) {
			held = append(held, source)
		}
	}
	slices.Sort(held)
	return held
}
