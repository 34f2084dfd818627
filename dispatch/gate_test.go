package dispatch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
)

// process is a bus of its own on the world's NATS.
func (w *world) process() *bus.Bus {
	w.t.Helper()
	b, err := bus.Open(w.t.Context(), bus.Config{
		URL: w.bus.ClientURL(), Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: quiet(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(b.Close)
	return b
}

// counted is the simulator behind a counter of the calls that are being placed.
func (w *world) counted() (url string, most *atomic.Int64) {
	var now atomic.Int64
	most = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n := now.Add(1)
			defer now.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
		}
		w.sim.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	return server.URL, most
}

// tokens counts the windows of the rate that are taken from now on.
func (w *world) tokens() *atomic.Int64 {
	w.t.Helper()
	consumer, err := w.js.OrderedConsumer(w.t.Context(), "CALLBRIDGE_LIMITS", jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"callbridge.limit.rate.>"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var mu sync.Mutex
	var count atomic.Int64
	windows := map[string]bool{}
	reading, err := consumer.Consume(func(m jetstream.Msg) {
		mu.Lock()
		defer mu.Unlock()
		windows[m.Subject()] = true
		count.Store(int64(len(windows)))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(reading.Stop)
	return &count
}

func (w *world) sendMany(n int) {
	w.t.Helper()
	for i := range n {
		w.send(request(fmt.Sprint("lead-", i), "+12025550142"))
	}
}

func TestRateHoldsOverThreeProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	config := fast()
	config.Rate = 10
	for range 3 {
		w.runOn(w.process(), w.url, config, good)
	}
	tokens := w.tokens()
	const calls = 40
	w.sendMany(calls)
	for range calls {
		w.result()
	}
	// Each call has a window of 1/Rate to itself, over all processes.
	until(t, "there is a token for each call", func() bool { return tokens.Load() >= calls })
	var at []time.Time
	for _, p := range w.sim.Placed() {
		at = append(at, p.Time)
	}
	slices.SortFunc(at, time.Time.Compare)
	// Calls may be delayed on their way, and come closer together then, so the
	// whole is measured: with a limit of its own each, three processes would
	// take a third.
	took, least := at[len(at)-1].Sub(at[0]), calls*time.Second/time.Duration(config.Rate)/2
	if took < least {
		t.Errorf("%d calls took %s, want at least %s", calls, took, least)
	}
}

func TestConcurrencyHoldsOverThreeProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{Latency: 100 * time.Millisecond})
	url, most := w.counted()
	config := fast()
	config.Concurrency = 3
	for range 3 {
		w.runOn(w.process(), url, config, good)
	}
	const calls = 40
	w.sendMany(calls)
	for range calls {
		w.result()
	}
	if got := most.Load(); got != int64(config.Concurrency) {
		t.Errorf("at most %d calls at the same time, want exactly %d", got, config.Concurrency)
	}
}

// TestPlaceOfAKilledProcessComesBack: a holder that writes no more, as after
// kill -9, blocks others for one lease and no longer.
func TestPlaceOfAKilledProcessComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	killed := w.process()
	config := fast()
	config.Concurrency = 1
	lease := 2 * time.Second
	if _, err := killed.Slots(config.Concurrency, lease).Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	killed.Conn().Close()
	w.runOn(w.process(), w.url, config, good)
	w.sendMany(1)
	w.result()
	// The server counts whole seconds.
	if blocked := time.Since(began); blocked < lease-time.Second || blocked > lease+5*time.Second {
		t.Errorf("the place came back after %s, want %s and a little", blocked, lease)
	}
}

// TestNoTokenNoCall: without the stream of limits nobody may dial, and with it
// the queue goes on.
func TestNoTokenNoCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	stream := bus.Define(bus.Config{Prefix: "callbridge", Replicas: 1}).Streams[3]
	b := w.process()
	if err := w.js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	config := fast()
	config.Rate = 50
	w.runOn(b, w.url, config, good)
	r := request("lead-1", "+12025550142")
	w.send(r)
	until(t, "the request was tried", func() bool {
		consumer, err := w.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
		return err == nil && consumer.CachedInfo().NumRedelivered > 0
	})
	if posts := w.sim.Posts(); posts != 0 {
		t.Errorf("%d calls without a token", posts)
	}
	if _, err := w.js.CreateStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	w.result()
	if got := w.states(r.ID); len(got) != 2 || got[1] != dispatch.Accepted {
		t.Errorf("states %v, want claimed and accepted", got)
	}
}
