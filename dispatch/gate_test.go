package dispatch_test

import (
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/control"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// operator is the configuration of a command at the server of the fixture.
func (f *fixture) operator() bus.Config {
	config := bus.Config{Prefix: "callbridge"}
	config.URL = f.bus.UserURL("operator")
	return config
}

func (f *fixture) stopCalls(scope control.Scope) {
	f.t.Helper()
	s := control.Stop{Scope: scope, By: "ada@example", Why: "test", Since: time.Now().UTC()}
	if _, err := bus.Stop(f.t.Context(), f.operator(), s); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) resumeCalls() {
	f.t.Helper()
	if _, err := bus.Resume(f.t.Context(), f.operator(), control.Scope{}, true, control.Resume{By: "ada@example", At: time.Now().UTC()}); err != nil {
		f.t.Fatal(err)
	}
}

// TestNothingIsDialledBetweenStopAndResume, in two processes. What waits is kept, and
// dialled once.
func TestNothingIsDialledBetweenStopAndResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	other := f.process()
	f.run(fast(), good)
	f.runOn(other, f.url, fast(), good)
	f.stopCalls(control.Scope{})
	for _, b := range []*bus.Bus{f.bus, other} {
		testkit.Eventually(t, "the process knows the stop", b.AllStopped)
	}
	f.sendMany(6)
	before := f.sim.Posts()
	f.resumeCalls()
	if before != 0 || f.sim.Posts() > 6 {
		t.Errorf("%d calls were placed while everything was stopped", before)
	}
	testkit.Eventually(t, "all are called", func() bool { return f.sim.Posts() >= 6 })
	f.done()
	f.placedOnce(6)
}

// TestAStopOfASourceHoldsNoOther, and does not use up its deliveries.
func TestAStopOfASourceHoldsNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	d, _ := f.run(fast(), good)
	f.stopCalls(control.Scope{Source: "website"})
	stopped := request("lead-1", "+12025550142")
	other := request("lead-2", "+12025550143")
	other.Event.Source = "crm"
	f.send(stopped, other)
	if got := f.result(); got.RequestID != other.ID || got.Outcome != event.Accepted {
		t.Errorf("%s of %s ended %s", got.RequestID, got.Event.Source, got.Outcome)
	}
	f.waits(stopped)
	if n := f.dialled(stopped.ID); n != 0 || len(f.states(stopped.ID)) != 1 {
		t.Errorf("dialled %d times, ledger %v", n, f.states(stopped.ID))
	}
	if err := d.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	f.resumeCalls()
	if got := f.result(); got.RequestID != stopped.ID || got.Outcome != event.Accepted || got.Attempts != 1 {
		t.Errorf("after resume: %s ended %s after %d attempts", got.RequestID, got.Outcome, got.Attempts)
	}
}

// TestAStopOfACountryIsOfItsNumbers, and of numbers whose country is not known.
func TestAStopOfACountryIsOfItsNumbers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	config := fast()
	config.Country = func(number event.Phone) string {
		return map[string]string{"+12025550142": "US", "+493012345678": "DE"}[number.Reveal()]
	}
	f.run(config, good)
	f.stopCalls(control.Scope{Country: "DE"})
	german, american, unknown := request("lead-1", "+493012345678"), request("lead-2", "+12025550142"), request("lead-3", "+12025550199")
	f.send(german, unknown, american)
	if got := f.result(); got.RequestID != american.ID {
		t.Errorf("%s was dialled", got.RequestID)
	}
	f.waits(german, unknown)
	if f.sim.Posts() != 1 {
		t.Errorf("%d calls", f.sim.Posts())
	}
}

// TestTheLastReadBeforeAClaimCounts: no copy of the document knows that it cannot be read.
func TestTheLastReadBeforeAClaimCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	if _, err := f.js.Publish(t.Context(), "callbridge.control", []byte("not a document")); err != nil {
		t.Fatal(err)
	}
	f.run(fast(), good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	testkit.Eventually(t, "the request was delivered twice", func() bool { return f.consumer().NumRedelivered > 0 })
	if f.sim.Posts() != 0 {
		t.Fatal("dialled although it is not known what is stopped")
	}
	f.stopCalls(control.Scope{})
	f.resumeCalls()
	if got := f.result(); got.RequestID != r.ID || got.Outcome != event.Accepted || f.dialled(r.ID) != 1 {
		t.Errorf("after resume: %s, dialled %d times", got.Outcome, f.dialled(r.ID))
	}
}

// TestNoCallIsPlacedASecondAfterAStop while two processes place calls as fast as they can.
func TestNoCallIsPlacedASecondAfterAStop(t *testing.T) {
	t.Parallel()
	const events = 300
	f := newFixture(t, callabsim.Options{Latency: 20 * time.Millisecond})
	other := f.process()
	f.sendMany(events)
	f.run(fast(), good)
	f.runOn(other, f.url, fast(), good)
	testkit.Eventually(t, "calls are placed", func() bool { return f.sim.Posts() > 20 })
	f.stopCalls(control.Scope{})
	stopped := time.Now()
	for _, b := range []*bus.Bus{f.bus, other} {
		testkit.Eventually(t, "the process knows the stop", b.AllStopped)
	}
	known := time.Since(stopped)
	testkit.Eventually(t, "more than a second passes", func() bool { return time.Since(stopped) > 1500*time.Millisecond })
	placed := f.sim.Placed()
	if len(placed) >= events {
		t.Fatal("all calls were placed before the stop")
	}
	f.resumeCalls()
	resumed := time.Now()
	testkit.Eventually(t, "all are called", func() bool { return f.sim.Posts() >= events })
	f.done()
	f.placedOnce(events)
	last := time.Duration(0)
	for _, p := range f.sim.Placed() {
		if p.Time.Before(resumed) {
			last = max(last, p.Time.Sub(stopped))
		}
	}
	if last > time.Second {
		t.Errorf("a call was placed %s after the stop", last)
	}
	t.Logf("%d of %d calls before the stop; the last %s after its answer, known everywhere after %s", len(placed), events, last, known)
}
