package dispatch_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/event"
)

const token = "test-token"

// world is a bus on its own server, a simulator, and what is needed to ask
// both what happened.
type world struct {
	t       testing.TB
	bus     *bus.Bus
	sim     *callabsim.Sim
	url     string
	js      jetstream.JetStream
	results chan *nats.Msg
}

// fast are timings that keep every rule and let a test wait.
func fast() dispatch.Config {
	return dispatch.Config{
		Concurrency: 4, Attempts: 6, WriteWindow: 400 * time.Millisecond, CallTimeout: time.Second,
		APIIdle: 400 * time.Millisecond, ClaimAge: 4 * time.Second, Settle: 800 * time.Millisecond,
	}
}

func newWorld(t testing.TB, options callabsim.Options) *world {
	t.Helper()
	return newWorldOn(t, options, bus.Embedded{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
}

func newWorldOn(t testing.TB, options callabsim.Options, embedded bus.Embedded) *world {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{
		Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: quiet(),
		Embedded: embedded,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if options.Tokens == nil {
		options.Tokens = []string{token}
	}
	w := &world{t: t, bus: b, sim: callabsim.New(options), results: make(chan *nats.Msg, 4096)}
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	w.url = server.URL
	if w.js, err = jetstream.New(b.Conn()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Conn().ChanSubscribe(b.ResultsSubject(), w.results); err != nil {
		t.Fatal(err)
	}
	return w
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// run starts a dispatcher. stop ends it and waits until it has.
func (w *world) run(config dispatch.Config, token func() string) (d *dispatch.Dispatcher, stop func()) {
	w.t.Helper()
	return w.runOn(w.bus, w.url, config, token)
}

func (w *world) runOn(b *bus.Bus, url string, config dispatch.Config, token func() string) (*dispatch.Dispatcher, func()) {
	w.t.Helper()
	api, err := callab.New(callab.Config{URL: url + "/v1", Token: token, Timeout: config.CallTimeout})
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := dispatch.New(b, api, config, prometheus.NewRegistry(), quiet())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	stop := func() { cancel(); <-ended }
	w.t.Cleanup(stop)
	return d, stop
}

func good() string { return token }

// request is one call to make, as the mapping would write it.
func request(key, to string) event.Request {
	e := event.Event{
		ID: event.EventID("website", key), Source: "website", Key: key, Type: "lead.created",
		Data: json.RawMessage(`{"id":"` + key + `"}`),
	}
	call, _ := json.Marshal(callab.NewCall{
		AIAgentID: "6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11", CallFrom: "+12025550100", CallTo: to,
		CallDirection: "outbound", AgentDynamicVariables: map[string]string{"first_name": "Ada"},
	})
	return event.Request{ID: event.RequestID(e.ID, "new-lead"), Route: "new-lead", Event: e, Call: call}
}

func (w *world) send(requests ...event.Request) {
	w.t.Helper()
	for _, r := range requests {
		if seen, err := w.bus.Store(w.t.Context(), "", bus.Decision{Request: &r}); err != nil || seen[0] {
			w.t.Fatalf("send %s: seen before: %t, %v", r.ID, seen[0], err)
		}
	}
}

// result waits for the next result.
func (w *world) result() event.Result {
	w.t.Helper()
	select {
	case m := <-w.results:
		var r event.Result
		if err := json.Unmarshal(m.Data, &r); err != nil {
			w.t.Fatal(err)
		}
		return r
	case <-time.After(30 * time.Second):
		w.t.Fatal("no result within 30 s")
		return event.Result{}
	}
}

// dialled counts how often a request's call was placed.
func (w *world) dialled(id uuid.UUID) int {
	n := 0
	for _, p := range w.sim.Placed() {
		if p.Mentions(id.String()) {
			n++
		}
	}
	return n
}

// states are the records that the ledger keeps of a request, oldest first.
func (w *world) states(id uuid.UUID) []dispatch.State {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), "CALLBRIDGE_LEDGER")
	if err != nil {
		w.t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(w.t.Context(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"callbridge.ledger." + id.String()},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	batch, err := consumer.FetchNoWait(64)
	if err != nil {
		w.t.Fatal(err)
	}
	var states []dispatch.State
	for m := range batch.Messages() {
		var r dispatch.Record
		if err := json.Unmarshal(m.Data(), &r); err != nil {
			w.t.Fatal(err)
		}
		states = append(states, r.State)
	}
	return states
}

// done waits until nothing is delivered or waiting any more.
func (w *world) done() {
	w.t.Helper()
	for start := time.Now(); time.Since(start) < 30*time.Second; {
		consumer, err := w.js.Consumer(w.t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
		if err != nil {
			w.t.Fatal(err)
		}
		if info := consumer.CachedInfo(); info.NumPending == 0 && info.NumAckPending == 0 {
			return
		}
	}
	w.t.Fatal("requests are still waiting after 30 s")
}
