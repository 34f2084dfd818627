package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

const token = "test-token"

// fixture is a bus with an embedded server, a simulated Callab, and a
// subscription to the results.
type fixture struct {
	t       testing.TB
	bus     *bus.Bus
	sim     *callabsim.Sim
	url     string
	js      jetstream.JetStream
	results <-chan *nats.Msg
	log     *slog.Logger
}

// fast has the shortest timings that Validate accepts in practice.
func fast() dispatch.Config {
	return dispatch.Config{
		Concurrency: 4, Attempts: 6, WriteWindow: 400 * time.Millisecond, CallTimeout: time.Second,
		APIIdle: 400 * time.Millisecond, ClaimAge: 4 * time.Second, Settle: 800 * time.Millisecond,
	}
}

func newFixture(t testing.TB, options callabsim.Options) *fixture {
	t.Helper()
	return newFixtureOn(t, options, bustest.Config(t))
}

func newFixtureOn(t testing.TB, options callabsim.Options, config bus.Config) *fixture {
	t.Helper()
	b := bustest.Open(t, config)
	if options.Tokens == nil {
		options.Tokens = []string{token}
	}
	f := &fixture{t: t, bus: b, sim: callabsim.New(options), results: testkit.Subscribe(t, b.Conn(), "callbridge.result.>"),
		log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(f.sim)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	f.url = server.URL
	f.js = jetStreamOf(t, b)
	return f
}

func jetStreamOf(t testing.TB, b *bus.Bus) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(b.Conn())
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// process opens another bus on the same NATS, as a second process would.
func (f *fixture) process() *bus.Bus {
	f.t.Helper()
	return bustest.Open(f.t, bustest.Remote(f.bus.UserURL("bridge")))
}

// run starts a dispatcher. stop ends it and waits for its end.
func (f *fixture) run(config dispatch.Config, token func() string) (d *dispatch.Dispatcher, stop func()) {
	f.t.Helper()
	return f.runOn(f.bus, f.url, config, token)
}

func (f *fixture) runOn(b *bus.Bus, url string, config dispatch.Config, token func() string) (*dispatch.Dispatcher, func()) {
	f.t.Helper()
	api, err := callab.New(callab.Config{URL: url + "/v1", Token: token, Timeout: config.CallTimeout})
	if err != nil {
		f.t.Fatal(err)
	}
	d, err := dispatch.New(b, api, config, prometheus.NewRegistry(), f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	stop := func() { cancel(); <-ended }
	f.t.Cleanup(stop)
	return d, stop
}

func good() string { return token }

// request is a request as the mapping writes it.
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

func (f *fixture) send(requests ...event.Request) {
	f.t.Helper()
	for _, r := range requests {
		if seen, err := f.bus.Store(f.t.Context(), "", event.Item{Request: &r}); err != nil || seen[0] {
			f.t.Fatalf("send %s: seen before: %t, %v", r.ID, seen[0], err)
		}
	}
}

// claimed writes a claim into the ledger whose owner has recorded no answer.
func (f *fixture) claimed(r event.Request, owner string) {
	f.t.Helper()
	f.write(r, record.Record{State: record.Claimed, Attempt: 1, Owner: owner, Nonce: "n", Claimed: time.Now()})
}

// write writes the first ledger record of a request.
func (f *fixture) write(r event.Request, first record.Record) {
	f.t.Helper()
	data, err := event.Marshal(first)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.bus.Ledger().Put(f.t.Context(), r.ID, data, 0); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) sendMany(n int) {
	f.t.Helper()
	for i := range n {
		f.send(request(fmt.Sprint("lead-", i), "+12025550142"))
	}
}

// result waits for the next result that is an end.
func (f *fixture) result() event.Result {
	f.t.Helper()
	for {
		if r := testkit.Receive[event.Result](f.t, f.results); r.Outcome != event.Deferred {
			return r
		}
	}
}

// wantFound expects that a request was dialled once and that its call was found in the list.
func (f *fixture) wantFound(r event.Request) {
	f.t.Helper()
	if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonFound {
		f.t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if n := f.dialled(r.ID); n != 1 {
		f.t.Errorf("dialled %d times, want 1", n)
	}
}

// dialled counts how often a request's call was placed.
func (f *fixture) dialled(id uuid.UUID) int {
	n := 0
	for _, p := range f.sim.Placed() {
		if p.Mentions(id.String()) {
			n++
		}
	}
	return n
}

// states returns the states of all ledger records of a request, oldest first.
func (f *fixture) states(id uuid.UUID) []record.State {
	f.t.Helper()
	stream, err := f.js.Stream(f.t.Context(), "CALLBRIDGE_LEDGER")
	if err != nil {
		f.t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(f.t.Context(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"callbridge.ledger." + id.String()},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	batch, err := consumer.FetchNoWait(64)
	if err != nil {
		f.t.Fatal(err)
	}
	var states []record.State
	for m := range batch.Messages() {
		var r record.Record
		if err := json.Unmarshal(m.Data(), &r); err != nil {
			f.t.Fatal(err)
		}
		states = append(states, r.State)
	}
	return states
}

// done waits until every request is acknowledged.
func (f *fixture) done() {
	f.t.Helper()
	testkit.Eventually(f.t, "every request is acknowledged", func() bool {
		info := f.consumer()
		return info.NumPending == 0 && info.NumAckPending == 0
	})
}

// consumer returns the state of the consumer that delivers requests.
func (f *fixture) consumer() *jetstream.ConsumerInfo {
	f.t.Helper()
	consumer, err := f.js.Consumer(f.t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		f.t.Fatal(err)
	}
	return consumer.CachedInfo()
}
