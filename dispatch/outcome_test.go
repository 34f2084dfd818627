package dispatch_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// oneResult expects that the stream of results has one result of a request, and no other
// result of its event.
func (f *fixture) oneResult(r event.Request, want event.Outcome) {
	f.t.Helper()
	stream, err := f.js.Stream(f.t.Context(), "CALLBRIDGE_RESULTS")
	if err != nil {
		f.t.Fatal(err)
	}
	info, err := stream.Info(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	outcome, err := f.bus.ResultOf(f.t.Context(), r.Event.Source, r.ID)
	if err != nil || outcome != want || info.State.Msgs != 1 {
		f.t.Errorf("%d results, that of the request is %q (%v); want one, %q", info.State.Msgs, outcome, err, want)
	}
}

// called returns a fixture in which a request was accepted.
func called(t *testing.T) (*fixture, event.Request) {
	t.Helper()
	f := newFixture(t, callabsim.Options{})
	f.run(fast(), good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	if got := f.result(); got.Outcome != event.Accepted {
		t.Fatalf("ended %s", got.Outcome)
	}
	return f, r
}

// inDryRun is the result of a request whose route is in dry_run.
func inDryRun(r event.Request) event.Result {
	return event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: r.Route, Event: r.Event, Time: time.Now()}
}

// TestARequestThatWasMadeIsNotSkipped: the event was called, its route is switched to
// dry_run, and the CRM sends the event again.
func TestARequestThatWasMadeIsNotSkipped(t *testing.T) {
	t.Parallel()
	f, r := called(t)
	again := inDryRun(r)
	if seen, err := f.bus.Store(t.Context(), "", event.Item{Result: &again}); err != nil || !seen[0] {
		t.Errorf("stored as new: %v", err)
	}
	f.oneResult(r, event.Accepted)

	// The other way round the closing message refuses the request.
	dry := request("lead-2", "+12025550142")
	skipped := inDryRun(dry)
	if seen, err := f.bus.Store(t.Context(), "", event.Item{Result: &skipped}); err != nil || seen[0] {
		t.Errorf("the first result counts as seen: %v", err)
	}
	if seen, err := f.bus.Store(t.Context(), "", event.Item{Request: &dry}); err != nil || !seen[0] {
		t.Errorf("requested after it was skipped: %v", err)
	}
}

// TestAnEventThatWasCalledIsNotTooOld: it comes again after max_age.
func TestAnEventThatWasCalledIsNotTooOld(t *testing.T) {
	t.Parallel()
	f, r := called(t)
	again := event.Result{
		RequestID: event.RequestID(r.Event.ID, ""), Outcome: event.Skipped, Reason: event.ReasonTooOld,
		Event: r.Event, Time: time.Now(), Closes: []string{"other", r.Route},
	}
	if seen, err := f.bus.Store(t.Context(), "", event.Item{Result: &again}); err != nil || !seen[0] {
		t.Errorf("stored as new: %v", err)
	}
	f.oneResult(r, event.Accepted)
}

// TestARequestEndsBeforeItsRetention: Callab refuses the token for as long as NATS keeps
// the request, which would then vanish without a result.
func TestARequestEndsBeforeItsRetention(t *testing.T) {
	t.Parallel()
	config := bustest.Config(t)
	config.Retention = 5 * time.Second
	f := newFixtureOn(t, callabsim.Options{}, config)
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Forbidden, Times: callabsim.Always})
	c := fast()
	c.SweepEvery = 200 * time.Millisecond
	f.run(c, good)
	requests := []event.Request{request("lead-1", "+12025550142"), request("lead-2", "+12025550142"), request("lead-3", "+12025550142")}
	f.send(requests...)
	for range requests {
		if got := f.result(); got.Outcome != event.Failed || got.Reason != event.ReasonNotSent || !strings.Contains(got.Detail, "RETENTION") {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	if n := len(f.sim.Placed()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// TestARequestWithAResultIsNotDialledAgain: the ledger has lost its record. The request
// is older than the process.
func TestARequestWithAResultIsNotDialledAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r, other := request("lead-1", "+12025550142"), request("lead-2", "+12025550142")
	f.send(r, other)
	if err := f.bus.PublishResult(t.Context(), event.Result{RequestID: r.ID, Outcome: event.Unknown, Reason: event.ReasonNotFound, Event: r.Event, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	f.result()
	f.run(fast(), good)
	if got := f.result(); got.Outcome != event.Accepted || got.RequestID != other.ID {
		t.Errorf("%s ended %s", got.RequestID, got.Outcome)
	}
	f.done()
	if n := f.dialled(r.ID); n != 0 || len(f.results) != 0 {
		t.Errorf("dialled %d times over its result, %d more results", n, len(f.results))
	}
}

// TestARecordThatCannotBeReadIsAnUnknownCall: it gets a result, and no call.
func TestARecordThatCannotBeReadIsAnUnknownCall(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{"garbage": "\x00{", "an unknown state": `{"state":"done","attempt":2}`, "no state": `{}`} {
		for _, placed := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, callabsim.Options{})
				var log testkit.Log
				f.log = log.Logger()
				r := request("lead-1", "+12025550142")
				if _, err := f.bus.Ledger().Put(t.Context(), r.ID, []byte(record), 0); err != nil {
					t.Fatal(err)
				}
				want := event.Unknown
				if placed {
					want = event.Accepted
					f.sim.AddCalls(callabsim.Call{CallTo: "+12025550142", CreatedAt: time.Now(), Notes: "callbridge " + r.ID.String(), Metadata: map[string]any{event.RequestKey: r.ID.String()}})
				}
				f.send(r)
				config := fast()
				config.Redial = true
				f.run(config, good)
				if got := f.result(); got.Outcome != want || got.RequestID != r.ID || !placed && !strings.Contains(got.Detail, "a record of the ledger") {
					t.Errorf("ended %s (%s: %s), want %s", got.Outcome, got.Reason, got.Detail, want)
				}
				f.done()
				if posts, n := f.sim.Posts(), strings.Count(log.String(), "dispatch.record_unreadable"); posts != 0 || n != 1 {
					t.Errorf("%d create calls, %d lines", posts, n)
				}
				if d := f.consumer().Delivered.Consumer; d > 15 {
					t.Errorf("delivered %d times", d)
				}
			})
		}
	}
}

// TestGarbageOverACallThatEnded: the request has its result. The sweep replaces the record,
// and no second result is published.
func TestGarbageOverACallThatEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.send(r)
	config := fast()
	config.WriteWindow, config.Settle = 100*time.Millisecond, 100*time.Millisecond
	config.ClaimAge, config.SweepEvery = 3500*time.Millisecond, 300*time.Millisecond
	f.run(config, good)
	if got := f.result(); got.Outcome != event.Accepted {
		t.Fatalf("ended %s", got.Outcome)
	}
	f.done()
	entry, err := f.bus.Ledger().Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.bus.Ledger().Put(t.Context(), r.ID, []byte(`{"state":""}`), entry.Revision); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the record is replaced", func() bool {
		now, err := f.bus.Ledger().Get(t.Context(), r.ID)
		return err == nil && now.Revision > entry.Revision+1 && strings.Contains(string(now.Data), `"state":"accepted"`)
	})
	f.oneResult(r, event.Accepted)
	if n := f.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}

// TestADeletedRequestBecomesAResult: an operator has deleted it by hand.
func TestADeletedRequestBecomesAResult(t *testing.T) {
	t.Parallel()
	for state, c := range map[record.State]struct {
		placed bool
		want   event.Outcome
	}{
		record.Free:    {false, event.Failed},
		record.Claimed: {false, event.Unknown},
		record.Unknown: {true, event.Accepted},
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			r := request("lead-1", "+12025550142")
			f.write(r, record.Record{State: state, Attempt: 1, Source: "website", Owner: "embedded-ended", Nonce: "n", Claimed: time.Now()})
			if c.placed {
				f.sim.AddCalls(callabsim.Call{CallTo: "+12025550142", CreatedAt: time.Now(), Notes: "callbridge " + r.ID.String(), Metadata: map[string]any{event.RequestKey: r.ID.String()}})
			}
			config := fast()
			config.Redial = true
			config.WriteWindow, config.Settle = 100*time.Millisecond, 100*time.Millisecond
			config.ClaimAge, config.SweepEvery = 3500*time.Millisecond, 300*time.Millisecond
			f.run(config, good)
			if got := f.result(); got.Outcome != c.want || got.RequestID != r.ID || got.Event.Source != "website" || !c.placed && !strings.Contains(got.Detail, "deleted") {
				t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
			}
			if states := f.states(r.ID); f.sim.Posts() != 0 || slices.Contains(states[1:], record.Claimed) {
				t.Errorf("%d create calls, ledger went %v", f.sim.Posts(), states)
			}
		})
	}
}

// TestResultKeepsWhatFits: Callab's answer is left out first, and then the event's data.
func TestResultKeepsWhatFits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer int
		// spare is what the request leaves of max_payload.
		spare     int
		keepsData bool
	}{
		"the answer is too large":          {56_000, 50_000, true},
		"the answer fills a record":        {62_000, 50_000, true},
		"answer and data are too large":    {56_000, 100, false},
		"the data alone leave no room":     {8_000, 100, false},
		"the answer is larger than NATS's": {200_000, 50_000, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Server(t, &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 64 << 10})
			f := newFixtureOn(t, callabsim.Options{}, bustest.Remote(s.ClientURL()))
			url, posts := f.answering("HTTP/1.1 200 OK\r\n\r\n"+`{"status":"ok","data":{"id":"7d1b","transcript":"`+strings.Repeat("t", c.answer)+`"}}`, 0)
			f.runOn(f.bus, url, fast(), good)
			r := request("lead-1", "+12025550142")
			r.Event.Data = json.RawMessage(`""`)
			body, err := event.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			const headers = 4096
			r.Event.Data = json.RawMessage(`"` + strings.Repeat("x", 64<<10-headers-len(body)-c.spare) + `"`)
			f.send(r)
			got := f.result()
			if got.Outcome != event.Accepted || string(got.Call) != `{"id":"7d1b"}` || !strings.Contains(got.Detail, "answer is left out") {
				t.Errorf("ended %s (%s: %s) with %.60s", got.Outcome, got.Reason, got.Detail, got.Call)
			}
			if kept := len(got.Event.Data) > 0; kept != c.keepsData || kept == strings.Contains(got.Detail, "event's data") {
				t.Errorf("keeps the event's data: %t, detail %q", kept, got.Detail)
			}
			f.done()
			if n := posts.Load(); n != 1 {
				t.Errorf("%d create calls", n)
			}
		})
	}
}
