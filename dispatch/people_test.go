package dispatch_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/dispatch/gate"
	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/policy"
)

// limited is a policy for all requests, which are too late within the hour: what is capped
// until tomorrow is skipped.
func limited(p policy.Policy) gate.Policy {
	p.Purpose, p.AnyTime = policy.Service, true
	expires := time.Now().Add(time.Hour)
	return func(*event.Request) (policy.Policy, policy.Facts) {
		return p, policy.Facts{Consent: policy.Yes, DoNotCall: policy.No, Expires: expires}
	}
}

// capped is the configuration of a dispatcher that calls a person a number of times a day.
func capped(perDay int) dispatch.Config {
	config := fast()
	config.Policy = limited(policy.Policy{DayCap: perDay})
	return config
}

// TestTwoProcessesNeverCallAPersonTooOften: 20 people, many events, caps of 1 to 3 a day.
// Every call that is allowed is placed, and every event has its result.
func TestTwoProcessesNeverCallAPersonTooOften(t *testing.T) {
	t.Parallel()
	for limit := 1; limit <= 3; limit++ {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			const persons, events = 20, 200
			own := bustest.Config(t)
			f := newFixtureOn(t, callabsim.Options{}, own)
			remote := bustest.Remote(f.bus.UserURL("bridge"))
			remote.PersonKeyFile = filepath.Join(own.Embedded.Dir, personkey.FileName)
			for i := range events {
				f.send(request(fmt.Sprint("lead-", i), fmt.Sprintf("+1202555%04d", i%persons)))
			}
			f.run(capped(limit), good)
			f.runOn(bustest.Open(t, remote), f.url, capped(limit), good)
			reasons := map[event.Reason]int{}
			for range events {
				reasons[f.result().Reason]++
			}
			f.done()
			placed := map[string]int{}
			for _, p := range f.sim.Placed() {
				var body struct {
					To string `json:"call_to"`
				}
				if err := json.Unmarshal(p.Body, &body); err != nil {
					t.Fatal(err)
				}
				placed[body.To]++
			}
			for number, n := range placed {
				if n != limit {
					t.Errorf("%s was called %d times, the cap is %d", number, n, limit)
				}
			}
			if len(placed) != persons || reasons[event.ReasonCreated] != persons*limit || reasons[event.ReasonCapped] != events-persons*limit {
				t.Errorf("%d people were called, results %v", len(placed), reasons)
			}
		})
	}
}

// TestACallThatWasNotPlacedDoesNotCount, and one that may have been placed does.
func TestACallThatWasNotPlacedDoesNotCount(t *testing.T) {
	t.Parallel()
	for kind, c := range map[callabsim.Kind]struct{ first, second event.Reason }{
		callabsim.Refuse:   {event.ReasonRefused, event.ReasonCreated},
		callabsim.RefuseOK: {event.ReasonRefused, event.ReasonCapped},
		callabsim.CutAfter: {event.ReasonFound, event.ReasonCapped},
		// It is not found in the list, and is not called again.
		callabsim.CutBefore: {event.ReasonNotFound, event.ReasonCapped},
		// Its second attempt finds its own reservation.
		callabsim.Throttle: {event.ReasonCreated, event.ReasonCapped},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: kind}}})
			f.run(capped(1), good)
			for i, want := range []event.Reason{c.first, c.second} {
				f.send(request(fmt.Sprint("lead-", i), "+12025550142"))
				if got := f.result(); got.Reason != want {
					t.Errorf("request %d ended %s (%s: %s), want %s", i+1, got.Outcome, got.Reason, got.Detail, want)
				}
			}
		})
	}
}

// reserve reserves a call to a person as a process does that dies before its claim.
func (f *fixture) reserve(id uuid.UUID, number string) {
	f.t.Helper()
	c := people.Call{Request: id, Attempt: 1, At: time.Now().UTC()}
	if err := f.bus.Memory().Reserve(f.t.Context(), number, people.Document{}, 0, c); err != nil {
		f.t.Fatal(err)
	}
}

// TestARequestFindsItsOwnReservation, whose process died before the claim.
func TestARequestFindsItsOwnReservation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.reserve(r.ID, "+12025550142")
	f.run(capped(1), good)
	f.send(request("lead-2", "+12025550142"))
	if got := f.result(); got.Reason != event.ReasonCapped {
		t.Errorf("another request ended %s (%s)", got.Outcome, got.Reason)
	}
	f.send(r)
	if got := f.result(); got.RequestID != r.ID || got.Outcome != event.Accepted {
		t.Errorf("the request ended %s (%s)", got.Outcome, got.Reason)
	}
}

// TestAnEndedRequestGivesItsReservationBack that was never claimed.
func TestAnEndedRequestGivesItsReservationBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.reserve(r.ID, "+12025550142")
	config := capped(1)
	config.Permits = func(judged *event.Request) (event.Outcome, event.Reason, string) {
		if judged.ID == r.ID {
			return event.Skipped, event.ReasonRouteOff, "switched off"
		}
		return "", "", ""
	}
	f.run(config, good)
	f.send(r)
	if got := f.result(); got.Reason != event.ReasonRouteOff {
		t.Errorf("ended %s (%s)", got.Outcome, got.Reason)
	}
	f.send(request("lead-2", "+12025550142"))
	if got := f.result(); got.Outcome != event.Accepted {
		t.Errorf("another request ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
}

// TestAnOldJudgementSendsNothing: a process that is frozen between the gate and the claim
// does not place the call with what it knew before.
func TestAnOldJudgementSendsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	config := fast()
	var judged atomic.Int64
	judge := limited(policy.Policy{DayCap: 1})
	config.Policy = func(r *event.Request) (policy.Policy, policy.Facts) {
		if judged.Add(1) == 1 {
			time.Sleep(2 * config.WriteWindow)
		}
		return judge(r)
	}
	f.run(config, good)
	f.send(request("lead-1", "+12025550142"))
	if got := f.result(); got.Outcome != event.Accepted || got.Attempts != 1 || judged.Load() < 2 {
		t.Errorf("ended %s (%s) after %d attempts and %d judgements", got.Outcome, got.Reason, got.Attempts, judged.Load())
	}
	if n := f.sim.Posts(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// TestAResultShowsTheGates of a request that is not called, and no number.
func TestAResultShowsTheGates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(capped(1), good)
	f.send(request("lead-1", "+12025550142"))
	if got := f.result(); got.Gates != nil {
		t.Errorf("the gates of a call: %v", got.Gates)
	}
	f.send(request("lead-2", "+12025550142"))
	got := f.result()
	failing := []event.Reason{}
	for _, g := range got.Gates {
		if !g.Passes {
			failing = append(failing, g.Gate)
		}
		if strings.Contains(g.Value, "5550142") {
			t.Errorf("gate %s shows the number: %s", g.Gate, g.Value)
		}
	}
	if got.Outcome != event.Skipped || got.Reason != event.ReasonCapped || len(got.Gates) < 8 || len(failing) != 1 || failing[0] != event.ReasonCapped {
		t.Errorf("ended %s (%s: %s), gates %v", got.Outcome, got.Reason, got.Detail, got.Gates)
	}
}

// TestARequestOfAnotherServicePassesTheSameGates.
func TestARequestOfAnotherServicePassesTheSameGates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(capped(1), good)
	for i, want := range []event.Reason{event.ReasonCreated, event.ReasonCapped} {
		r := request(fmt.Sprint("order-", i), "+12025550142")
		if _, err := f.js.Publish(t.Context(), f.bus.RequestSubject("producer", r.ID), []byte(`{"call":`+string(r.Call)+`}`)); err != nil {
			t.Fatal(err)
		}
		if got := f.result(); got.Reason != want {
			t.Errorf("ended %s (%s: %s), want %s", got.Outcome, got.Reason, got.Detail, want)
		}
	}
}

// TestAPolicyThatCountsNeedsThePersonKey: without it calls wait.
func TestAPolicyThatCountsNeedsThePersonKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	config := capped(1)
	judge := config.Policy
	config.Policy = func(r *event.Request) (policy.Policy, policy.Facts) {
		if strings.Contains(string(r.Call), "5550199") {
			return policy.Policy{Purpose: policy.Service, AnyTime: true}, policy.Facts{Consent: policy.Yes, DoNotCall: policy.No}
		}
		return judge(r)
	}
	f.runOn(f.process(), f.url, config, good)
	f.send(request("lead-1", "+12025550142"), request("lead-2", "+12025550199"))
	if got := f.result(); got.Event.Key != "lead-2" || got.Outcome != event.Accepted {
		t.Errorf("%s ended %s (%s)", got.Event.Key, got.Outcome, got.Reason)
	}
	testkit.Eventually(t, "the other request waits", func() bool { return f.consumer().NumAckPending == 1 })
	if n := f.sim.Posts(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// TestAStormStopsItsSourceInAllProcesses, and loses nothing: after resume all are called.
func TestAStormStopsItsSourceInAllProcesses(t *testing.T) {
	t.Parallel()
	const events, limit = 60, 20
	f := newFixture(t, callabsim.Options{})
	config := waitsFast()
	config.Policy = limited(policy.Policy{Storm: policy.Storm{Calls: limit, Within: time.Hour}})
	for i := range events {
		f.send(request(fmt.Sprint("lead-", i), fmt.Sprintf("+1202555%04d", i)))
	}
	f.run(config, good)
	f.runOn(f.process(), f.url, config, good)
	testkit.Eventually(t, "the source is stopped", func() bool {
		stops, err := f.bus.Stopped(t.Context(), website)
		return err == nil && len(stops) == 1 && stops[0].By == control.Storm
	})
	f.done()
	if n := f.sim.Posts(); n > limit {
		t.Errorf("%d calls, the storm begins above %d", n, limit)
	}
	f.resumeCalls()
	testkit.Eventually(t, "all are called", func() bool { return f.sim.Posts() == events })
	f.placedOnce(events)
}
