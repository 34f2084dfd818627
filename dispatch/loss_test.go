package dispatch_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/loss"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// reconcile has a bus check its streams, as serve does.
func (f *fixture) reconcile(b *bus.Bus) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); b.ReconcileStreams(ctx) }()
	f.t.Cleanup(func() { cancel(); <-ended })
}

// placedOnce expects one call for each of the requests lead-0 to lead-<n-1>.
func (f *fixture) placedOnce(n int) {
	f.t.Helper()
	if placed := len(f.sim.Placed()); placed != n {
		f.t.Errorf("%d calls were placed for %d events", placed, n)
	}
	for i := range n {
		if got := f.dialled(request(fmt.Sprint("lead-", i), "").ID); got != 1 {
			f.t.Errorf("lead-%d was dialled %d times", i, got)
		}
	}
}

// TestNobodyIsDialledAgainWhenLedgerAndConsumerAreLost deletes both while two processes
// run: the new consumer delivers all requests again, and the new ledger knows none.
func TestNobodyIsDialledAgainWhenLedgerAndConsumerAreLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	config := fast()
	config.Redial = true
	other := f.process()
	for _, b := range []*bus.Bus{f.bus, other} {
		f.reconcile(b)
		f.runOn(b, f.url, config, good)
	}
	const calls = 30
	f.sendMany(calls)
	for range calls {
		f.result()
	}
	f.done()
	if err := f.js.DeleteStream(t.Context(), "CALLBRIDGE_LEDGER"); err != nil {
		t.Fatal(err)
	}
	if err := f.js.DeleteConsumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the consumer is made again and everything is done", func() bool {
		consumer, err := f.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
		if err != nil {
			return false
		}
		info := consumer.CachedInfo()
		return info.AckFloor.Stream >= calls && info.NumPending == 0 && info.NumAckPending == 0
	})
	f.placedOnce(calls)
	testkit.Eventually(t, "the loss is shown", func() bool { return f.bus.Degraded() != "" })
}

// TestARepeatAfterALossIsNotDialled loses all streams. The CRM then repeats an event from
// before the loss, and sends a new one.
func TestARepeatAfterALossIsNotDialled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.reconcile(f.bus)
	config := fast()
	config.Redial = true
	f.run(config, good)
	before := time.Now()
	f.sendMany(2)
	f.result()
	f.result()
	f.done()
	for _, name := range []string{"REQUESTS", "LEDGER", "RESULTS"} {
		if err := f.js.DeleteStream(t.Context(), "CALLBRIDGE_"+name); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "the loss is found", func() bool { return f.bus.Degraded() != "" && f.bus.Ready(t.Context()) == nil })
	repeat, never, fresh := request("lead-0", "+12025550142"), request("lost", "+12025550143"), request("fresh", "+12025550144")
	repeat.Event.Time, never.Event.Time = before, before
	f.send(repeat)
	if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonFound {
		t.Errorf("the repeat of a call ended %s (%s)", got.Outcome, got.Reason)
	}
	f.send(never)
	if got := f.result(); got.Outcome != event.Unknown || got.Reason != event.ReasonHeldAfterLoss {
		t.Errorf("the repeat of an event that was not dialled ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	f.send(fresh)
	if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonCreated {
		t.Errorf("a new event ended %s (%s)", got.Outcome, got.Reason)
	}
	if placed := len(f.sim.Placed()); placed != 3 {
		t.Errorf("%d calls were placed, want 3", placed)
	}
}

// TestARestoredStoreDialsNobodyAgain takes a copy of the store while requests wait, has
// them dialled, and starts on the copy. What was not dialled is, if DIAL_UNKNOWN says so.
func TestARestoredStoreDialsNobodyAgain(t *testing.T) {
	t.Parallel()
	const calls = 5
	for name, c := range map[string]struct {
		// restore replaces the store by a copy that was made of it.
		restore func(t *testing.T, store, copied string, config *bus.Config)
		placed  int
	}{
		"the whole directory": {func(t *testing.T, store, copied string, _ *bus.Config) {
			replaceDir(t, store, copied)
		}, calls + 1},
		"without epoch.json": {func(t *testing.T, store, copied string, _ *bus.Config) {
			replaceDir(t, store, copied)
			remove(t, filepath.Join(store, loss.FileName))
		}, calls + 1},
		"the files of JetStream": {func(t *testing.T, store, copied string, _ *bus.Config) {
			replaceDir(t, filepath.Join(store, "jetstream"), filepath.Join(copied, "jetstream"))
		}, calls + 1},
		"nobody can see it, and the operator says so": {func(t *testing.T, store, copied string, config *bus.Config) {
			forget(t, store, copied)
			config.Memory.RestoredFrom = time.Now().Add(-time.Minute)
		}, calls + 1},
		"control: nobody can see it": {func(t *testing.T, store, copied string, _ *bus.Config) {
			forget(t, store, copied)
		}, 2*calls + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := bustest.Config(t)
			f := newFixtureOn(t, callabsim.Options{}, config)
			f.sendMany(calls)
			last := request("lead-last", "+12025550149")
			f.send(last)
			f.bus.Close()
			copied := filepath.Join(t.TempDir(), "copy")
			copyDir(t, config.Embedded.Dir, copied)
			// All are dialled but the last one.
			f.openOn(config)
			dialled := fast()
			dialled.Permits = func(r *event.Request) (event.Outcome, event.Reason, string) {
				if r.ID == last.ID {
					return event.Rejected, event.ReasonBadNumber, ""
				}
				return "", "", ""
			}
			_, stop := f.run(dialled, good)
			for range calls + 1 {
				f.result()
			}
			f.done()
			stop()
			f.bus.Close()

			c.restore(t, config.Embedded.Dir, copied, &config)
			f.openOn(config)
			redial := fast()
			redial.Redial = true
			f.run(redial, good)
			for range calls + 1 {
				if got := f.result(); got.Outcome != event.Accepted {
					t.Errorf("%s ended %s (%s: %s)", got.Event.Key, got.Outcome, got.Reason, got.Detail)
				}
			}
			f.done()
			if placed := len(f.sim.Placed()); placed != c.placed {
				t.Errorf("%d calls were placed, want %d", placed, c.placed)
			}
			if shown := f.bus.Degraded() != ""; shown == (c.placed > calls+1) {
				t.Errorf("the restore is shown: %t", shown)
			}
		})
	}
}

// openOn opens the bus of a fixture again.
func (f *fixture) openOn(config bus.Config) {
	f.t.Helper()
	f.bus = bustest.Open(f.t, config)
	f.results = testkit.Subscribe(f.t, f.bus.Conn(), "callbridge.result.>")
	f.js = jetStreamOf(f.t, f.bus)
}

// replaceDir replaces a directory by a copy.
func replaceDir(t *testing.T, dir, copied string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyDir(t, copied, dir)
}

// copyDir copies a directory as docs/operations.md says.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
}

// forget restores a copy and removes everything from which this can be seen.
func forget(t *testing.T, store, copied string) {
	t.Helper()
	replaceDir(t, store, copied)
	remove(t, filepath.Join(store, loss.FileName))
	remove(t, filepath.Join(store, "jetstream", "$G", "streams", "CALLBRIDGE_STATE"))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
