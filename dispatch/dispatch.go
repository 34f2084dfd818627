// Package dispatch places the calls: the last step of the webhook pipeline. It
// receives a request from the bus, claims it in the ledger, sends the create
// call at most once, classifies Callab's answer and publishes the result. The
// protocol, its assumptions and what an operator does with an unknown call are
// in docs/decisions/0003-dialling-once.md.
//
//   - step.go: the state machine, one step per ledger state
//   - request.go: parse a delivered request, add its id to the call
//   - before.go: requests that end without being dialled
//   - permit.go: the judgement before each claim
//   - gate.go: what forbids a call in the last moment before its claim
//   - limiter.go: concurrency and rate
//   - dial.go: claim, fence, POST; nothing else calls the create endpoint
//   - classify.go: the state after an answer: accepted, rejected, free, failed, unknown
//   - held.go: calls that are held because Callab cannot take one (package breaker)
//   - reconcile.go: expired claims, unknown calls (package search), stuck requests
//   - loss.go: requests about which NATS has lost something
//   - wait.go: requests that wait (package waiting)
//   - ledger.go: the record of a request (package record), changed by compare-and-set
//   - report.go: results, log lines, metrics
//   - point.go: hooks of the crash tests
//
// It imports event, callab, bus, span and the packages below bus and dispatch, and never
// NATS itself.
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
	"callbridge/bus/limit"
	"callbridge/callab"
	"callbridge/dispatch/breaker"
	"callbridge/dispatch/gate"
	"callbridge/dispatch/metric"
	"callbridge/dispatch/waiting"
	"callbridge/span"
)

// Config holds the limits and timings of dialling. Every duration but
// SweepEvery must be above zero; Validate checks how they relate.
type Config struct {
	// Concurrency limits how many calls are placed at the same time, by all
	// processes that share a NATS together.
	Concurrency int
	// Rate limits how many calls all these processes place per second; 0 is
	// no limit.
	Rate float64
	// MakeCall places calls with POST /calls/make-call instead of POST /calls.
	MakeCall bool
	// Redial dials again when an unknown call is not in Callab's list after
	// Settle. Without it the result of such a call is "unknown".
	Redial bool
	// Attempts limits how often a call is tried that was certainly not placed.
	Attempts int

	// WriteWindow is how long after the claim the first byte may be written.
	WriteWindow time.Duration
	// CallTimeout is how long Callab may take to answer, as in callab.Config.
	CallTimeout time.Duration
	// APIIdle is how long Callab keeps a connection on which nothing is sent.
	APIIdle time.Duration
	// ClaimAge is the age at which a claim without a recorded answer expires.
	ClaimAge time.Duration
	// Settle is how long a call may take to appear in Callab's list.
	Settle time.Duration
	// SweepEvery is the interval between two sweeps of the ledger; one minute
	// if zero.
	SweepEvery time.Duration

	// Permits judges every request before its claim; nil permits all.
	Permits Permits
	// Generation is the number of the configuration by which Permits judges: a
	// request that has waited is judged again only if it has changed. Nil: always.
	Generation func() int

	// Policy is what holds for a request by the configuration in force; nil: no gate but
	// stops and the do-not-call list.
	Policy gate.Policy

	// Listed is a list of this process of numbers that must not be called; nil: none.
	Listed gate.Listed

	// Country is the country of a number, for stops of a country; nil: never known.
	Country gate.Country

	// Tracer records spans; nil for none.
	Tracer *span.Tracer
}

// claimMargin covers what no other duration includes: connecting, a slow
// scheduler, the ledger write itself.
const claimMargin = 2 * time.Second

// Validate reports every rule that the configuration breaks, by the names of
// the environment variables. A broken rule could dial twice or lose a call;
// docs/decisions/0003-dialling-once.md derives the rules.
func (c Config) Validate(ackWait time.Duration) error {
	var errs []error
	for _, p := range []struct {
		name  string
		value time.Duration
	}{
		{"DIAL_WRITE_WINDOW", c.WriteWindow}, {"CALLAB_TIMEOUT", c.CallTimeout}, {"CALLAB_IDLE", c.APIIdle},
		{"DIAL_CLAIM_AGE", c.ClaimAge}, {"DIAL_SETTLE", c.Settle}, {"DIAL_ACK_WAIT", ackWait},
	} {
		if p.value <= 0 {
			errs = append(errs, fmt.Errorf("%s must be above zero", p.name))
		}
	}
	if c.Concurrency < 1 {
		errs = append(errs, errors.New("DIAL_CONCURRENCY must be at least 1"))
	}
	if c.Rate < 0 {
		errs = append(errs, errors.New("DIAL_RATE must not be negative; 0 means no limit"))
	}
	if c.Attempts < 1 {
		errs = append(errs, errors.New("DIAL_ATTEMPTS must be at least 1"))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if least := c.WriteWindow + c.APIIdle + c.CallTimeout + claimMargin; c.ClaimAge < least {
		errs = append(errs, fmt.Errorf("DIAL_CLAIM_AGE %s is too short: a call may still be sent until DIAL_WRITE_WINDOW %s + CALLAB_IDLE %s + CALLAB_TIMEOUT %s + %s = %s after its claim",
			c.ClaimAge, c.WriteWindow, c.APIIdle, c.CallTimeout, claimMargin, least))
	}
	if ackWait < 3*time.Second {
		errs = append(errs, fmt.Errorf("DIAL_ACK_WAIT %s is too short: a worker reports progress every third of it, and a third must be at least 1s", ackWait))
	}
	if ackWait > c.ClaimAge {
		errs = append(errs, fmt.Errorf("DIAL_ACK_WAIT %s is longer than DIAL_CLAIM_AGE %s: a call whose process died would be looked at too late", ackWait, c.ClaimAge))
	}
	if c.Settle < c.WriteWindow {
		errs = append(errs, fmt.Errorf("DIAL_SETTLE %s is shorter than DIAL_WRITE_WINDOW %s: a call that is being placed would be taken for missing", c.Settle, c.WriteWindow))
	}
	return errors.Join(errs...)
}

// Dispatcher places calls.
type Dispatcher struct {
	config  Config
	bus     *bus.Bus
	ledger  bus.Ledger
	api     *callab.Client
	log     *slog.Logger
	limiter limiter
	breaker *breaker.Breaker
	gate    *gate.Gate
	metrics *metric.Metrics

	// instance is the unique id of this process. It begins with lockHolder
	// where NATS is embedded.
	instance string
	// inProgress holds the ids (uuid.UUID) of the requests that this process
	// works on, so that a redelivery does not start a second worker.
	inProgress sync.Map
	// unusedClaims holds the nonces of claims whose ledger write was in doubt
	// and for which no call was sent.
	unusedClaims sync.Map
	// waiting holds the requests that this process takes up without a delivery.
	waiting *waiting.Set
	// inOutage holds the ids of unknown calls that are searched for when the outage is
	// over.
	inOutage sync.Map
	// heartbeat is when a worker last showed progress, in Unix nanoseconds.
	heartbeat atomic.Int64
	// drain outlives Run's context: when it ends, running POSTs are cut off.
	drain context.Context
	// clock is that of the NATS server.
	clock *limit.Clock
	// begun is when this process began.
	begun time.Time
	// over is signalled when an outage is over.
	over chan struct{}
}

// lockHolder is the prefix of the instance of a process that embeds NATS and
// so holds the lock of its store. Only one process at a time holds that lock:
// all earlier holders have ended. A process that connects to the same NATS over
// the network has no prefix.
const lockHolder = "embedded-"

// New makes a Dispatcher. It returns an error if the timings of config
// contradict each other.
func New(b *bus.Bus, api *callab.Client, config Config, registry prometheus.Registerer, log *slog.Logger) (*Dispatcher, error) {
	if err := config.Validate(b.AckWait()); err != nil {
		return nil, err
	}
	holds := breaker.New()
	d := &Dispatcher{
		config: config, bus: b, ledger: b.Ledger(), api: api, log: log,
		limiter: newLimiter(b, config), breaker: holds, metrics: metric.New(registry, holds.State),
		instance: uuid.NewString(), over: make(chan struct{}, 1),
		clock: b.Limits().Clock(), begun: time.Now(), waiting: waiting.New(),
	}
	d.gate = &gate.Gate{Bus: b, Now: d.clock.Now, Policy: config.Policy, Listed: config.Listed, Country: config.Country, Log: log}
	if b.Embedded() {
		d.instance = lockHolder + d.instance
	}
	d.markAlive()
	return d, nil
}

// Run places calls until ctx ends. Then it receives no new requests, finishes
// and records the running ones, and returns, after CallTimeout plus a few
// seconds at most.
func (d *Dispatcher) Run(ctx context.Context) {
	var end context.CancelFunc
	d.drain, end = context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d.config.CallTimeout+stopMargin, end) })
	defer stop()
	var workers sync.WaitGroup
	workers.Go(func() { d.bus.ConsumeRequests(ctx, d.config.Concurrency, d.worker()) })
	workers.Go(func() { d.sweepLoop(ctx) })
	workers.Go(func() { d.bus.WatchStops(ctx, d.waiting.Wake) })
	workers.Go(func() { d.wake(ctx) })
	workers.Go(func() { d.searchAfterOutages(ctx) })
	workers.Wait()
}

// stopMargin is how long a stop may take beyond CallTimeout, for connecting
// within the write window and for recording the answer.
const stopMargin = 3 * time.Second

// maxSilence is how long no worker may show progress before Ready fails.
const maxSilence = time.Minute

// Ready returns why no calls are placed, or nil.
func (d *Dispatcher) Ready() error {
	if err := d.Held(); err != nil {
		return err
	}
	if silent := time.Since(time.Unix(0, d.heartbeat.Load())); silent > maxSilence {
		return fmt.Errorf("dispatch has shown no sign of life for %s", silent.Round(time.Second))
	}
	return nil
}

func (d *Dispatcher) markAlive() { d.heartbeat.Store(time.Now().UnixNano()) }
