package dispatch_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// website is the scope of a stop of all requests of these tests.
var website = control.Scope{Source: "website"}

// waitsFast sweeps often.
func waitsFast() dispatch.Config {
	config := fast()
	config.SweepEvery = 200 * time.Millisecond
	return config
}

// stopUntil stops a source for a while.
func (f *fixture) stopUntil(scope control.Scope, until time.Time) {
	f.t.Helper()
	s := control.Stop{Scope: scope, By: "ada@example", Why: "test", Since: time.Now().UTC(), Until: until.UTC()}
	if _, err := bus.Stop(f.t.Context(), f.operator(), s); err != nil {
		f.t.Fatal(err)
	}
}

// waits returns when the newest record of requests is that they wait, and their messages
// are acknowledged.
func (f *fixture) waits(requests ...event.Request) {
	f.t.Helper()
	testkit.Eventually(f.t, "the requests wait", func() bool {
		return !slices.ContainsFunc(requests, func(r event.Request) bool { return f.record(r.ID).State != record.Waiting })
	})
	f.done()
}

// record is the newest record of a request.
func (f *fixture) record(id uuid.UUID) record.Record {
	f.t.Helper()
	e, err := f.bus.Ledger().Get(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return record.Read(e.Data)
}

// deferrals subscribes to deferred results.
func (f *fixture) deferrals() <-chan *nats.Msg {
	return testkit.Subscribe(f.t, f.bus.Conn(), "callbridge.result.deferred.>")
}

// TestAStoppedRequestWaitsInTheLedger, says so once, and is called when the stop has ended.
func TestAStoppedRequestWaitsInTheLedger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	deferred := f.deferrals()
	f.run(waitsFast(), good)
	f.stopCalls(website)
	r := request("lead-1", "+12025550142")
	f.send(r)
	got := testkit.Receive[event.Result](t, deferred)
	if got.RequestID != r.ID || got.Reason != event.ReasonStopped || !got.Until.IsZero() || got.Detail != "source website, by ada@example: test" {
		t.Errorf("%s is %s (%s: %s) until %s", got.RequestID, got.Outcome, got.Reason, got.Detail, got.Until)
	}
	f.waits(r)
	if outcome, err := f.bus.ResultOf(t.Context(), r.Event.Source, r.ID); outcome != "" || err != nil {
		t.Errorf("a request that waits has ended %q, %v", outcome, err)
	}
	if seen, err := f.bus.Store(t.Context(), "", event.Item{Request: &r}); err != nil || !seen[0] {
		t.Errorf("the same event again is new: %v", err)
	}
	f.resumeCalls()
	resumed := time.Now()
	if got := f.result(); got.RequestID != r.ID || got.Outcome != event.Accepted || got.Attempts != 1 {
		t.Errorf("%s ended %s after %d attempts", got.RequestID, got.Outcome, got.Attempts)
	}
	t.Logf("called %s after the resume", time.Since(resumed).Round(time.Millisecond))
	if states := f.states(r.ID); !slices.Equal(states, []record.State{record.Waiting, record.Claimed, record.Accepted}) || len(deferred) != 0 {
		t.Errorf("states %v, and %d more deferred results", states, len(deferred))
	}
}

// TestARequestWaitsUntilAStopEnds by itself, also if its process is another one by then.
func TestARequestWaitsUntilAStopEnds(t *testing.T) {
	t.Parallel()
	for name, restarted := range map[string]bool{"same process": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			deferred := f.deferrals()
			_, stop := f.run(waitsFast(), good)
			until := time.Now().Add(3 * time.Second).Round(time.Millisecond)
			f.stopUntil(website, until)
			r := request("lead-0", "+12025550142")
			f.send(r)
			if got := testkit.Receive[event.Result](t, deferred); !got.Until.Equal(until) {
				t.Errorf("deferred until %s, want %s", got.Until, until)
			}
			if restarted {
				f.waits(r)
				stop()
				f.run(waitsFast(), good)
			}
			if got := f.result(); got.Outcome != event.Accepted || time.Now().Before(until) {
				t.Errorf("ended %s (%s), %s after the stop", got.Outcome, got.Detail, time.Since(until))
			}
			f.placedOnce(1)
		})
	}
}

// TestAKilledProcessLeavesNoWaitUnsaid: it was killed between the ledger, the result and the
// acknowledgement. The next delivery says what is missing, once.
func TestAKilledProcessLeavesNoWaitUnsaid(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	deferred := f.deferrals()
	r := request("lead-1", "+12025550142")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	f.write(r, record.Record{State: record.Waiting, Source: "website", Acked: true, Reason: event.ReasonOutsideHours, Detail: "closed", Until: until, Due: until})
	_, stop := f.run(waitsFast(), good)
	f.send(r)
	if got := testkit.Receive[event.Result](t, deferred); got.Reason != event.ReasonOutsideHours || !got.Until.Equal(until) || got.Detail != "closed" {
		t.Errorf("deferred for %s (%s) until %s", got.Reason, got.Detail, got.Until)
	}
	f.done()
	stop()
	// As if the acknowledgement had been lost.
	message, err := f.bus.StoredRequest(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.js.Publish(t.Context(), "callbridge.request.website."+r.ID.String()+".ready", message.Data); err != nil {
		t.Fatal(err)
	}
	f.run(waitsFast(), good)
	f.done()
	if len(deferred) != 0 || f.sim.Posts() != 0 || len(f.states(r.ID)) != 1 {
		t.Errorf("%d more deferred results, %d calls, states %v", len(deferred), f.sim.Posts(), f.states(r.ID))
	}
}

// TestTwoProcessesWakeTheSameRequests: the ledger decides, and each is called once.
func TestTwoProcessesWakeTheSameRequests(t *testing.T) {
	t.Parallel()
	const events = 60
	f := newFixture(t, callabsim.Options{})
	until := time.Now().Add(3 * time.Second).UTC()
	for i := range events {
		r := request(fmt.Sprint("lead-", i), "+12025550142")
		f.write(r, record.Record{State: record.Waiting, Source: "website", Acked: true, Reason: event.ReasonOutsideHours, Until: until, Due: until})
		f.send(r)
	}
	// Each is delivered to one process, and the other one, if it sweeps, reads it.
	f.run(waitsFast(), good)
	f.runOn(f.process(), f.url, waitsFast(), good)
	// A result that the stream refuses as the second one reaches this subscriber, too.
	for ended := map[uuid.UUID]bool{}; len(ended) < events; {
		got := f.result()
		ended[got.RequestID] = true
		if got.Outcome != event.Accepted || got.Attempts != 1 || time.Now().Before(until) {
			t.Errorf("ended %s after %d attempts", got.Outcome, got.Attempts)
		}
	}
	f.done()
	f.placedOnce(events)
}

// TestAWaitingRequestOfAKilledProcessIsTakenUp by another one.
func TestAWaitingRequestOfAKilledProcessIsTakenUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	until := time.Now().Add(time.Second).UTC()
	r := request("lead-1", "+12025550142")
	f.send(r)
	f.write(r, record.Record{State: record.Waiting, Source: "website", Owner: "killed", Acked: true, Reason: event.ReasonCapped, Until: until, Due: until})
	consumer, err := f.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Acknowledge(t, consumer)
	f.run(waitsFast(), good)
	if got := f.result(); got.Outcome != event.Accepted {
		t.Errorf("ended %s (%s)", got.Outcome, got.Detail)
	}
}

// TestAClaimOfAnAcknowledgedRequestIsTakenUp: its process was killed after the wait was
// over. NATS does not deliver it any more.
func TestAClaimOfAnAcknowledgedRequestIsTakenUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.send(r)
	f.write(r, record.Record{State: record.Free, Source: "website", Attempt: 1, Owner: "killed", Acked: true})
	consumer, err := f.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Acknowledge(t, consumer)
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Throttle})
	f.run(waitsFast(), good)
	if got := f.result(); got.Outcome != event.Accepted || got.Attempts != 3 {
		t.Errorf("ended %s (%s) after %d attempts", got.Outcome, got.Detail, got.Attempts)
	}
}

// TestAWaitEndsBeforeItsRetention, with or without an end of its own, as failed.
func TestAWaitEndsBeforeItsRetention(t *testing.T) {
	t.Parallel()
	config := bustest.Config(t)
	config.Retention = 5 * time.Second
	f := newFixtureOn(t, callabsim.Options{}, config)
	f.run(waitsFast(), good)
	f.stopCalls(website)
	r := request("lead-1", "+12025550142")
	other := request("lead-2", "+12025550142")
	f.send(r, other)
	for range 2 {
		if got := f.result(); got.Outcome != event.Failed || got.Reason != event.ReasonNotSent {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	if n := f.sim.Posts(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// TestADeletedRequestThatWaitsEnds when it is due.
func TestADeletedRequestThatWaitsEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(waitsFast(), good)
	until := time.Now().Add(2 * time.Second)
	f.stopUntil(website, until)
	r := request("lead-1", "+12025550142")
	f.send(r)
	f.waits(r)
	stream, err := f.js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := f.result(); got.RequestID != r.ID || got.Outcome != event.Failed || f.sim.Posts() != 0 {
		t.Errorf("ended %s (%s), %d calls", got.Outcome, got.Detail, f.sim.Posts())
	}
}

// eventuallyMany is testkit.Eventually for thousands of requests on a busy machine.
func (f *fixture) eventuallyMany(what string, condition func() bool) {
	f.t.Helper()
	if !testkit.Within(3*time.Minute, condition) {
		f.t.Fatalf("not within 3 minutes: %s", what)
	}
}

// TestManyStoppedRequestsHoldUpNoOther: more than NATS delivers without an acknowledgement.
// After the stop all are called once, while other requests are called as well.
func TestManyStoppedRequestsHoldUpNoOther(t *testing.T) {
	t.Parallel()
	const stopped, others, batch = 4200, 20, 100
	f := newFixture(t, callabsim.Options{})
	config := fast()
	config.Concurrency = 16
	f.run(config, good)
	f.stopCalls(control.Scope{Route: "new-lead"})
	for i := 0; i < stopped; i += batch {
		items := make([]event.Item, batch)
		for j := range items {
			r := request(fmt.Sprint("lead-", i+j), "+12025550142")
			items[j] = event.Item{Request: &r}
		}
		if _, err := f.bus.Store(t.Context(), "", items...); err != nil {
			t.Fatal(err)
		}
	}
	call := func(name string) {
		t.Helper()
		var last uuid.UUID
		for i := range others {
			r := request(fmt.Sprint(name, i), "+12025550142")
			r.Route, r.ID = "other", event.RequestID(r.Event.ID, "other")
			last = r.ID
			f.send(r)
		}
		f.eventuallyMany("the last of the others is called", func() bool { return f.record(last).State == record.Accepted })
	}
	call("during")
	f.eventuallyMany("all others are acknowledged", func() bool { return f.consumer().NumPending+uint64(f.consumer().NumAckPending) == 0 })
	if n := f.sim.Posts(); n != others {
		t.Errorf("%d calls during the stop, want %d", n, others)
	}
	f.resumeCalls()
	call("after")
	f.eventuallyMany("all are called", func() bool { return f.sim.Posts() >= stopped+2*others })
	ids := map[string]bool{}
	for _, p := range f.sim.Placed() {
		var body struct{ Metadata map[string]string }
		if err := json.Unmarshal(p.Body, &body); err != nil {
			t.Fatal(err)
		}
		ids[body.Metadata[event.RequestKey]] = true
	}
	if n := len(f.sim.Placed()); n != stopped+2*others || len(ids) != n {
		t.Errorf("%d calls of %d requests", n, len(ids))
	}
}
