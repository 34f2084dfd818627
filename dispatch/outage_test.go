package dispatch_test

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/event"
)

// until polls a condition that the dispatcher brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestRefusedTokenHoldsTheQueueUntilItWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	var current atomic.Value
	current.Store("revoked")
	d, _ := w.run(fast(), func() string { return current.Load().(string) })
	var requests []event.Request
	for i := range 20 {
		requests = append(requests, request(fmt.Sprint("lead-", i), "+12025550142"))
	}
	w.send(requests...)
	until(t, "readiness is red", func() bool { return d.Ready() != nil })
	posts := w.sim.Posts()
	if posts > fast().Concurrency {
		t.Errorf("%d POSTs with a refused token, want at most %d", posts, fast().Concurrency)
	}
	current.Store(token)
	for range requests {
		if got := w.result(); got.Outcome != event.Accepted {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	if err := d.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	if n := len(w.sim.Placed()); n != len(requests) {
		t.Errorf("%d calls, want %d", n, len(requests))
	}
}

func TestCallsGoOnAfterCallabWasAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	address := fmt.Sprint("127.0.0.1:", bustest.Port(t))
	w.runOn(w.bus, "http://"+address, fast(), good)
	r := request("lead-1", "+12025550142")
	w.send(r)
	until(t, "an attempt was made in vain", func() bool { return len(w.states(r.ID)) >= 2 })

	back, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w.sim}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(back) }()
	got := w.result()
	if got.Outcome != event.Accepted || got.Attempts < 2 {
		t.Errorf("ended %s (%s: %s) after %d attempts", got.Outcome, got.Reason, got.Detail, got.Attempts)
	}
	if n := w.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}

func TestTwoProcessesShareTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{Latency: 5 * time.Millisecond})
	second, err := bus.Open(t.Context(), bus.Config{
		URL: w.bus.ClientURL(), Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	third, err := bus.Open(t.Context(), bus.Config{
		URL: w.bus.ClientURL(), Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(third.Close)
	w.runOn(second, w.url, fast(), good)
	w.runOn(third, w.url, fast(), good)
	const n = 200
	for i := range n {
		w.send(request(fmt.Sprint("lead-", i), "+12025550142"))
	}
	for range n {
		if got := w.result(); got.Outcome != event.Accepted {
			t.Fatalf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	w.done()
	for i := range n {
		if dialled := w.dialled(request(fmt.Sprint("lead-", i), "").ID); dialled != 1 {
			t.Errorf("lead-%d was dialled %d times, want 1", i, dialled)
		}
	}
}

func TestStopLetsRunningCallsFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 500 * time.Millisecond, Times: callabsim.Always})
	config := fast()
	_, stop := w.run(config, good)
	for i := range config.Concurrency {
		w.send(request(fmt.Sprint("lead-", i), "+12025550142"))
	}
	until(t, "all calls are under way", func() bool { return w.sim.Posts() == config.Concurrency })
	stop()
	for range config.Concurrency {
		if got := w.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonCreated {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	w.done()
}

func TestRateSpacesCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	config := fast()
	config.Rate = 20
	w.run(config, good)
	const n = 8
	for i := range n {
		w.send(request(fmt.Sprint("lead-", i), "+12025550142"))
	}
	for range n {
		w.result()
	}
	placed := w.sim.Placed()
	// The burst is 1: n calls take n-1 intervals, however many workers wait.
	if took, least := placed[n-1].Time.Sub(placed[0].Time), (n-2)*50*time.Millisecond; took < least {
		t.Errorf("%d calls within %s, want at least %s", n, took, least)
	}
}
