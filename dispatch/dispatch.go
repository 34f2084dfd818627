// Package dispatch takes a request from the bus, reserves it in the ledger,
// dials once, judges the answer and publishes the result: the last step of a
// webhook's way, and the one that must never be taken twice. The protocol, its
// assumptions and what an operator does with an unknown call are in
// docs/decisions/0003-dialling-once.md.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/span"
)

// Config is how fast and how patiently calls are placed. Every duration must
// be above zero; Validate tells which rules they keep.
type Config struct {
	// Concurrency is how many calls are placed at the same time, by all
	// processes that share a NATS together.
	Concurrency int
	// Rate is how many calls they place in a second; 0 for no limit.
	Rate float64
	// MakeCall places calls with POST /calls/make-call instead of POST /calls.
	MakeCall bool
	// Redial dials again when an unknown call is not in Callab's list after
	// Settle. Without it such a call is left to a person.
	Redial bool
	// Attempts is how often a call that was certainly not sent is tried.
	Attempts int

	// WriteWindow is how long after the claim the first byte may leave.
	WriteWindow time.Duration
	// CallTimeout is how long Callab may take to answer, as in callab.Config.
	CallTimeout time.Duration
	// APIIdle is how long Callab keeps a connection on which nothing is sent.
	APIIdle time.Duration
	// ClaimAge is when the claim of a process that is silent counts as dead.
	ClaimAge time.Duration
	// Settle is how long a call may take to show in Callab's list.
	Settle time.Duration
	// SweepEvery is how often the whole ledger is looked through; 5 minutes
	// if zero.
	SweepEvery time.Duration

	// Tracer records spans; nil for none.
	Tracer *span.Tracer
}

// Dispatcher places calls.
type Dispatcher struct {
	config  Config
	bus     *bus.Bus
	ledger  bus.Ledger
	api     *callab.Client
	log     *slog.Logger
	gate    gate
	hold    *hold
	metrics *metrics

	// instance tells this process from every other, earlier ones included. It
	// begins with lockHolder where NATS is embedded.
	instance string

	running   sync.Map // uuid.UUID: in work here
	abandoned sync.Map // nonce: a claim in doubt, which was not used
	beat      atomic.Int64
	// last is done when even running POSTs must end.
	last context.Context
}

// lockHolder marks the process that embeds NATS and so holds the lock of its
// store. There is one at a time: every earlier one is gone. A process that came
// to the same NATS from elsewhere is not marked.
const lockHolder = "embedded-"

// New makes a Dispatcher. It refuses a configuration whose timings contradict
// each other.
func New(b *bus.Bus, api *callab.Client, config Config, registry prometheus.Registerer, log *slog.Logger) (*Dispatcher, error) {
	if err := config.Validate(b.AckWait()); err != nil {
		return nil, err
	}
	d := &Dispatcher{
		config: config, bus: b, ledger: b.Ledger(), api: api, log: log,
		gate: newGate(b, config), hold: newHold(), metrics: newMetrics(registry),
		instance: uuid.NewString(),
	}
	if b.Embedded() {
		d.instance = lockHolder + d.instance
	}
	d.beat.Store(time.Now().UnixNano())
	return d, nil
}

// Run places calls until ctx ends. Then it takes no new request, lets running
// ones finish and be recorded, and returns; that takes CallTimeout plus a few
// seconds at most.
func (d *Dispatcher) Run(ctx context.Context) {
	var end context.CancelFunc
	d.last, end = context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d.config.CallTimeout+stopMargin, end) })
	defer stop()
	var workers sync.WaitGroup
	workers.Go(func() { d.bus.ConsumeRequests(ctx, d.config.Concurrency, d.worker()) })
	workers.Go(func() { d.watchCredentials(ctx) })
	workers.Go(func() { d.sweepUntil(ctx) })
	workers.Wait()
}

// stopMargin is what a stop may take beyond CallTimeout: dialling within the
// write window, and recording.
const stopMargin = 3 * time.Second

// maxSilence is how long the workers may show no sign of life before
// readiness says so.
const maxSilence = time.Minute

// Ready says why calls are not being placed, or nil.
func (d *Dispatcher) Ready() error {
	if d.hold.credentials() {
		return errors.New("callab refuses our credentials: set a working CALLAB_TOKEN or CALLAB_TOKEN_FILE")
	}
	if silent := time.Since(time.Unix(0, d.beat.Load())); silent > maxSilence {
		return fmt.Errorf("dispatch has shown no sign of life for %s", silent.Round(time.Second))
	}
	return nil
}

func (d *Dispatcher) alive() { d.beat.Store(time.Now().UnixNano()) }
