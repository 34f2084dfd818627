package dispatch_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/dispatch/breaker"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestTwoProcessesInAnOutagePlaceEachCallOnce: Callab places calls and answers 500, to a
// search as well, and shows a call late. Each process has a breaker and probes of its own,
// and dials again what is missing from the list.
func TestTwoProcessesInAnOutagePlaceEachCallOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{ListLag: 400 * time.Millisecond})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.ErrorAfter, On: callabsim.OnAll, Times: callabsim.Always})
	config := fast()
	config.Redial = true
	one, _ := f.run(config, good)
	other, _ := f.runOn(f.process(), f.url, config, good)
	const calls = 30
	f.sendMany(calls)
	testkit.Eventually(t, "both breakers are open", func() bool { return one.State() != breaker.Closed && other.State() != breaker.Closed })
	posts := f.sim.Posts()
	testkit.Eventually(t, "a probe is sent", func() bool { return f.sim.Posts() > posts })
	f.sim.ClearFaults()
	for range calls {
		if got := f.result(); got.Outcome != event.Accepted {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	f.done()
	f.placedOnce(calls)
}

// TestAcceptanceEndsWhatOthersWrote: a process waits for Callab's acceptance, while the
// ledger gets a later attempt that was not placed, or garbage. Nothing is dialled again.
func TestAcceptanceEndsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(record.Record) []byte{
		"a later attempt that is free": func(r record.Record) []byte {
			r.State, r.Attempt, r.Nonce = record.Free, r.Attempt+1, "of another process"
			data, _ := json.Marshal(r)
			return data
		},
		"a later attempt that is unknown": func(r record.Record) []byte {
			r.State, r.Attempt, r.Nonce = record.Unknown, r.Attempt+1, "of another process"
			data, _ := json.Marshal(r)
			return data
		},
		"garbage":               func(record.Record) []byte { return []byte("\x00{") },
		"a newer version's own": func(record.Record) []byte { return []byte(`{"state":"deferred","attempt":1}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			f.sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 700 * time.Millisecond})
			config := fast()
			config.Redial = true
			f.run(config, good)
			r := request("lead-1", "+12025550142")
			f.send(r)
			f.overwriteClaim(r, write)
			if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonCreated || got.Attempts != 1 {
				t.Errorf("ended %s (%s) after %d attempts", got.Outcome, got.Reason, got.Attempts)
			}
			f.done()
			if n := f.dialled(r.ID); n != 1 {
				t.Errorf("dialled %d times, want 1", n)
			}
			f.oneResult(r, event.Accepted)
		})
	}
}

// overwriteClaim replaces the claim of a call that is being placed.
func (f *fixture) overwriteClaim(r event.Request, write func(record.Record) []byte) {
	f.t.Helper()
	testkit.Eventually(f.t, "a call is placed", func() bool { return len(f.sim.Placed()) > 0 })
	entry, err := f.bus.Ledger().Get(f.t.Context(), r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	var claim record.Record
	if err := json.Unmarshal(entry.Data, &claim); err != nil || claim.State != record.Claimed {
		f.t.Fatalf("ledger has %s: %v", claim.State, err)
	}
	if _, err := f.bus.Ledger().Put(f.t.Context(), r.ID, write(claim), entry.Revision); err != nil {
		f.t.Fatal(err)
	}
}

// TestARequestAndItsClosingAtTheSameMoment: one of them is stored, and the event has the
// outcome of that one.
func TestARequestAndItsClosingAtTheSameMoment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(fast(), good)
	other := f.process()
	const events = 25
	requests := make([]event.Request, events)
	for i := range requests {
		r := request(fmt.Sprint("lead-", i), "+12025550142")
		requests[i] = r
		skipped := inDryRun(r)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := f.bus.Store(t.Context(), "", event.Item{Request: &r}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, err := other.Store(t.Context(), "", event.Item{Result: &skipped}); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
	}
	outcomes := map[event.Outcome]int{}
	for range events {
		outcomes[f.result().Outcome]++
	}
	f.done()
	if len(f.results) != 0 || outcomes[event.Accepted]+outcomes[event.Skipped] != events || len(f.sim.Placed()) != outcomes[event.Accepted] {
		t.Errorf("%v and %d more results, %d calls, for %d events", outcomes, len(f.results), len(f.sim.Placed()), events)
	}
	for _, r := range requests {
		outcome, err := f.bus.ResultOf(t.Context(), r.Event.Source, r.ID)
		if err != nil || (outcome == event.Accepted) != (f.dialled(r.ID) == 1) {
			t.Errorf("%s ended %q (%v), dialled %d times", r.Event.Key, outcome, err, f.dialled(r.ID))
		}
	}
}

// TestAFreeRecordWithAResultIsNotDialled: the ledger has lost the records after it in a
// power cut, and the stream of results has not.
func TestAFreeRecordWithAResultIsNotDialled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.write(r, record.Record{State: record.Free, Attempt: 1, Source: "website", Owner: "embedded-ended", Nonce: "n"})
	if err := f.bus.PublishResult(t.Context(), event.Result{RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Event: r.Event, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	f.result()
	f.send(r)
	f.deliverOnce()
	f.run(fast(), good)
	f.done()
	states := f.states(r.ID)
	if f.sim.Posts() != 0 || states[len(states)-1] != record.Accepted {
		t.Errorf("%d create calls, ledger went %v", f.sim.Posts(), states)
	}
	f.oneResult(r, event.Accepted)
}

// deliverOnce has a request delivered to a process that gives it back.
func (f *fixture) deliverOnce() {
	f.t.Helper()
	consumer, err := f.js.Consumer(f.t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		f.t.Fatal(err)
	}
	msg, err := consumer.Next()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := msg.Nak(); err != nil {
		f.t.Fatal(err)
	}
}

// TestASkipAfterTheRequestIsGone: the stream has forgotten the request, and not its result.
func TestASkipAfterTheRequestIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	if err := f.bus.PublishResult(t.Context(), event.Result{RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Route: r.Route, Event: r.Event, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	skipped := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: r.Route, Event: r.Event, Time: time.Now()}
	if seen, err := f.bus.Store(t.Context(), "", event.Item{Result: &skipped}); err != nil || !seen[0] {
		t.Errorf("stored as new: %v", err)
	}
	f.oneResult(r, event.Accepted)
}
