package dispatch_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/callab/callabsim"
	"callbridge/dispatch/record"
	"callbridge/internal/testkit"
)

// counted serves the simulator; most is the largest number of calls at the same
// time.
func (f *fixture) counted() (url string, most *atomic.Int64) {
	var now atomic.Int64
	most = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n := now.Add(1)
			defer now.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
		}
		f.sim.ServeHTTP(rw, r)
	}))
	f.t.Cleanup(server.Close)
	return server.URL, most
}

// tokens collects the tokens that are stored in NATS from now on: the number of
// each window, and when the server stored its token.
func (f *fixture) tokens() (taken func() map[int64]time.Time) {
	f.t.Helper()
	consumer, err := f.js.OrderedConsumer(f.t.Context(), "CALLBRIDGE_LIMITS", jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"callbridge.limit.rate.>"},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	var mu sync.Mutex
	windows := map[int64]time.Time{}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		number, err := strconv.ParseInt(m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:], 10, 64)
		meta, metaErr := m.Metadata()
		if err != nil || metaErr != nil {
			f.t.Errorf("token %s: %v", m.Subject(), errors.Join(err, metaErr))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		windows[number] = meta.Timestamp
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(consuming.Stop)
	return func() map[int64]time.Time {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(windows)
	}
}

// lateness is how long after its window bus.Limiter may still give a token. On a slow
// machine the tokens of that time may be given together.
const lateness = time.Second

// excess is by how many tokens the limit was exceeded: the largest number of
// instants in any window of length T, less perSecond × T.
func excess(at []time.Time, perSecond float64) float64 {
	slices.SortFunc(at, time.Time.Compare)
	most := 0.0
	for i := range at {
		for j := i; j < len(at); j++ {
			most = max(most, float64(j-i+1)-perSecond*at[j].Sub(at[i]).Seconds())
		}
	}
	return most
}

// burst is the excess that bus.Limiter may have at most.
func burst(perSecond float64) float64 { return 2 + perSecond*lateness.Seconds() }

// takeTokens has two processes take tokens for a while, each with several
// workers at the limit perSecond, and returns when each token was given.
func (f *fixture) takeTokens(perSecond float64, duration time.Duration) []time.Time {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), duration)
	defer cancel()
	var mu sync.Mutex
	var given []time.Time
	var workers sync.WaitGroup
	for range 2 {
		limit := f.process().Limiter(perSecond)
		for range 8 {
			workers.Go(func() {
				for limit.Wait(ctx) == nil {
					mu.Lock()
					given = append(given, time.Now())
					mu.Unlock()
				}
			})
		}
	}
	workers.Wait()
	return given
}

func TestTwoProcessesGetTokensAtTheRate(t *testing.T) {
	t.Parallel()
	const rate, duration = 20.0, 4 * time.Second
	f := newFixture(t, callabsim.Options{})
	taken := f.tokens()
	given := f.takeTokens(rate, duration)
	if got := excess(given, rate); got > burst(rate) {
		t.Errorf("the limit was exceeded by %.1f tokens, want at most %.1f", got, burst(rate))
	}
	if least := rate * duration.Seconds() / 3; float64(len(given)) < least {
		t.Errorf("%d tokens in %s, want at least %.0f", len(given), duration, least)
	}
	// Each token has a window of 1/rate to itself and is not given before that
	// window: over a long time there cannot be more than the rate. A second is
	// allowed for reading the server's clock on a loaded machine.
	testkit.Eventually(t, "each token is in the stream", func() bool { return len(taken()) >= len(given) })
	for window, stored := range taken() {
		if begins := time.Unix(0, window*int64(time.Second/rate)); stored.Before(begins.Add(-time.Second)) {
			t.Errorf("token %d was given %s before its window", window, begins.Sub(stored))
		}
	}
}

// TestExcessFindsALimitNearlyTwiceAsHigh is the negative control of the test
// before: tokens at 1.9 times the rate do not pass it.
func TestExcessFindsALimitNearlyTwiceAsHigh(t *testing.T) {
	t.Parallel()
	const rate = 20.0
	f := newFixture(t, callabsim.Options{})
	given := f.takeTokens(1.9*rate, 4*time.Second)
	if got := excess(given, rate); got <= burst(rate) {
		t.Errorf("%d tokens at 1.9 times the rate exceed it by %.1f only, want more than %.1f", len(given), got, burst(rate))
	}
}

func TestRateHoldsOverThreeProcesses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	config := fast()
	config.Rate = 20
	for range 3 {
		f.runOn(f.process(), f.url, config, good)
	}
	tokens := f.tokens()
	const calls = 60
	f.sendMany(calls)
	for range calls {
		f.result()
	}
	testkit.Eventually(t, "there is a token for each call", func() bool { return len(tokens()) >= calls })
	var at []time.Time
	for _, p := range f.sim.Placed() {
		at = append(at, p.Time)
	}
	if got := excess(at, config.Rate); len(at) != calls || got > burst(config.Rate) {
		t.Errorf("%d calls exceed the rate by %.1f, want %d and at most %.1f", len(at), got, calls, burst(config.Rate))
	}
}

func TestOneProcessSpacesItsCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	config := fast()
	config.Rate = 20
	f.run(config, good)
	const n = 8
	f.sendMany(n)
	for range n {
		f.result()
	}
	placed := f.sim.Placed()
	// The burst is 1: n calls take n-1 intervals, however many workers wait.
	if took, least := placed[n-1].Time.Sub(placed[0].Time), (n-2)*50*time.Millisecond; took < least {
		t.Errorf("%d calls within %s, want at least %s", n, took, least)
	}
}

func TestConcurrencyHoldsOverThreeProcesses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{Latency: 100 * time.Millisecond})
	url, most := f.counted()
	config := fast()
	config.Concurrency = 3
	for range 3 {
		f.runOn(f.process(), url, config, good)
	}
	const calls = 40
	f.sendMany(calls)
	for range calls {
		f.result()
	}
	if got := most.Load(); got != int64(config.Concurrency) {
		t.Errorf("at most %d calls at the same time, want exactly %d", got, config.Concurrency)
	}
}

// TestSlotOfAKilledProcessIsFreeAfterItsLease: a holder that does not renew its
// slot, as after kill -9, blocks others for one lease and no longer.
func TestSlotOfAKilledProcessIsFreeAfterItsLease(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	killed := f.process()
	config := fast()
	config.Concurrency = 1
	lease := 2 * time.Second
	if _, err := killed.Slots(config.Concurrency, lease).Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	killed.Conn().Close()
	f.runOn(f.process(), f.url, config, good)
	f.sendMany(1)
	f.result()
	// The server counts whole seconds.
	if blocked := time.Since(began); blocked < lease-time.Second || blocked > lease+5*time.Second {
		t.Errorf("the slot was free after %s, want %s and a little", blocked, lease)
	}
}

// TestWithoutTokensNothingIsDialled: while the limits stream is missing nothing is
// dialled; dialling resumes when it is back.
func TestWithoutTokensNothingIsDialled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	stream := bus.Define(bus.Config{Prefix: "callbridge", Replicas: 1}).Streams[3]
	b := f.process()
	if err := f.js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	config := fast()
	config.Rate = 50
	f.runOn(b, f.url, config, good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	testkit.Eventually(t, "the request was tried", func() bool { return f.consumer().NumRedelivered > 0 })
	if posts := f.sim.Posts(); posts != 0 {
		t.Errorf("%d calls without a token", posts)
	}
	if _, err := f.js.CreateStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	f.result()
	if got := f.states(r.ID); len(got) != 2 || got[1] != record.Accepted {
		t.Errorf("states %v, want claimed and accepted", got)
	}
}
