package dispatch_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// gauge reads callbridge_ledger_requests of a state.
func gauge(t testing.TB, registry *prometheus.Registry, state string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == "callbridge_ledger_requests" && m.Label[0].GetValue() == state {
				return m.Gauge.GetValue()
			}
		}
	}
	return -1
}

// sweeping starts a dispatcher and returns its metrics.
func (f *fixture) sweeping(b *bus.Bus, config dispatch.Config) (registry *prometheus.Registry, stop func()) {
	f.t.Helper()
	api, err := callab.New(callab.Config{URL: f.url + "/v1", Token: good, Timeout: config.CallTimeout})
	if err != nil {
		f.t.Fatal(err)
	}
	registry = prometheus.NewRegistry()
	d, err := dispatch.New(b, api, config, registry, f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	f.t.Cleanup(stop)
	return registry, stop
}

// TestSweepGoesOnWhileTheTokenIsRefused: requests that are stuck cannot be dialled, and
// the metrics show them all the same, and what comes later.
func TestSweepGoesOnWhileTheTokenIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Unauthorized, On: callabsim.OnAll, Times: callabsim.Always})
	config := fast()
	config.SweepEvery = 200 * time.Millisecond
	registry, _ := f.sweeping(f.bus, config)
	first := request("lead-1", "+12025550142")
	f.send(first)
	testkit.Eventually(t, "the first request is free and counted", func() bool { return gauge(t, registry, "free") == 1 })
	f.write(request("lead-2", "+12025550142"), record.Record{State: record.Parked, Attempt: 1})
	testkit.Eventually(t, "what is written later is counted", func() bool { return gauge(t, registry, "parked") == 1 })
	if got := gauge(t, registry, "free"); got != 1 {
		t.Errorf("%v free, want 1", got)
	}
}

// TestOneProcessSweeps: the others show nothing, and one of them goes on when it ends.
func TestOneProcessSweeps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.write(request("lead-1", "+12025550142"), record.Record{State: record.Parked, Attempt: 1})
	config := fast()
	config.SweepEvery = 200 * time.Millisecond
	one, stopOne := f.sweeping(f.process(), config)
	other, stopOther := f.sweeping(f.process(), config)
	both := func() float64 { return gauge(t, one, "parked") + gauge(t, other, "parked") }
	testkit.Eventually(t, "one process counts", func() bool { return both() == 1 })
	f.write(request("lead-2", "+12025550142"), record.Record{State: record.Parked, Attempt: 1})
	testkit.Eventually(t, "the same process counts", func() bool { return both() == 2 && gauge(t, one, "parked")*gauge(t, other, "parked") == 0 })
	first, left := stopOne, other
	if gauge(t, one, "parked") == 0 {
		first, left = stopOther, one
	}
	first()
	testkit.Eventually(t, "the other process counts both", func() bool { return gauge(t, left, "parked") == 2 })
}

// TestSweepBeginsAnewWithANewLedger: what was counted of the old one is gone.
func TestSweepBeginsAnewWithANewLedger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	for i := range 5 {
		f.write(request(fmt.Sprint("lead-", i), "+12025550142"), record.Record{State: record.Parked, Attempt: 1})
	}
	config := fast()
	config.SweepEvery = 200 * time.Millisecond
	registry, _ := f.sweeping(f.bus, config)
	testkit.Eventually(t, "five are counted", func() bool { return gauge(t, registry, "parked") == 5 })
	if err := f.js.DeleteStream(t.Context(), "CALLBRIDGE_LEDGER"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the streams are declared again", func() bool { return f.bus.Declare(t.Context()) == nil })
	f.write(request("lead-9", "+12025550142"), record.Record{State: record.Failed, Attempt: 1})
	testkit.Eventually(t, "the new ledger is counted", func() bool {
		return gauge(t, registry, "parked") == 0 && gauge(t, registry, "failed") == 1
	})
}

// BenchmarkSweep reads a ledger of SWEEP_RECORDS records, 10,000 by default, and then
// what 1,000 further records add.
func BenchmarkSweep(b *testing.B) {
	records := 10_000
	if text := os.Getenv("SWEEP_RECORDS"); text != "" {
		if _, err := fmt.Sscan(text, &records); err != nil {
			b.Fatal(err)
		}
	}
	f := newFixture(b, callabsim.Options{})
	ledger := f.bus.Ledger()
	// Written without a flush of each, so that a million takes minutes.
	fill := func(n int) {
		data, _ := event.Marshal(record.Record{State: record.Accepted, Attempt: 1, Detail: strings.Repeat("x", 200)})
		for i := range n {
			if _, err := f.js.PublishAsync("callbridge.ledger."+uuid.NewString(), data); err != nil {
				b.Fatal(err)
			}
			if i%1000 == 999 || i == n-1 {
				<-f.js.PublishAsyncComplete()
			}
		}
	}
	fill(records)
	read := func(after bus.Position) (last bus.Position, n int) {
		last, _, err := ledger.Since(b.Context(), after, func(uuid.UUID, bus.Entry) error { n++; return nil })
		if err != nil {
			b.Fatal(err)
		}
		return last, n
	}
	began := time.Now()
	last, n := read(bus.Position{})
	b.Logf("%d records: %s", n, time.Since(began).Round(time.Millisecond))
	fill(1000)
	began = time.Now()
	_, n = read(last)
	b.Logf("%d more: %s", n, time.Since(began).Round(time.Millisecond))
}
