package dispatch_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// refusing permits no call to a number.
func refusing(number string, outcome event.Outcome) dispatch.Permits {
	return func(r *event.Request) (event.Outcome, event.Reason, string) {
		if strings.Contains(string(r.Call), number) && r.Event.Source == "website" {
			return outcome, event.ReasonBadNumber, "not this one"
		}
		return "", "", ""
	}
}

func TestEveryRequestIsJudgedBeforeItsClaim(t *testing.T) {
	t.Parallel()
	for outcome, state := range map[event.Outcome]record.State{event.Rejected: record.Rejected, event.Skipped: record.Skipped} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			config := fast()
			config.Permits = refusing("+19005550142", outcome)
			f.run(config, good)
			r := request("toll", "+19005550142")
			// Another service publishes it: only id and call.
			if _, err := f.js.Publish(t.Context(), f.bus.RequestSubject("website", r.ID), []byte(`{"call":`+string(r.Call)+`}`)); err != nil {
				t.Fatal(err)
			}
			if got := f.result(); got.Outcome != outcome || got.Reason != event.ReasonBadNumber || got.Detail != "not this one" || got.Attempts != 0 {
				t.Errorf("ended %s (%s: %s) after %d attempts", got.Outcome, got.Reason, got.Detail, got.Attempts)
			}
			f.send(request("lead-1", "+12025550142"))
			if got := f.result(); got.Outcome != event.Accepted {
				t.Errorf("the other request ended %s (%s)", got.Outcome, got.Reason)
			}
			f.done()
			if got := f.states(r.ID); !slices.Equal(got, []record.State{state}) || f.sim.Posts() != 1 || len(f.results) != 0 {
				t.Errorf("ledger went %v, %d create calls, %d more results", got, f.sim.Posts(), len(f.results))
			}
		})
	}
}

// TestRequestIsJudgedAgainAtEveryAttempt: its route is switched off while it waits
// for another attempt.
func TestRequestIsJudgedAgainAtEveryAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.Throttle}}})
	var off atomic.Bool
	config := fast()
	config.Generation = func() int { return 1 }
	config.Permits = func(*event.Request) (event.Outcome, event.Reason, string) {
		if off.Swap(true) {
			return event.Skipped, event.ReasonRouteOff, "switched off"
		}
		return "", "", ""
	}
	f.run(config, good)
	f.send(request("lead-1", "+12025550142"))
	if got := f.result(); got.Outcome != event.Skipped || got.Reason != event.ReasonRouteOff || got.Attempts != 1 {
		t.Errorf("ended %s (%s) after %d attempts", got.Outcome, got.Reason, got.Attempts)
	}
	if posts := f.sim.Posts(); posts != 1 {
		t.Errorf("%d create calls, want 1", posts)
	}
}

// TestRequestIsJudgedAgainByANewConfiguration: its route is switched off while it waits
// for its slot and token.
func TestRequestIsJudgedAgainByANewConfiguration(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	var generation, judged atomic.Int64
	config := fast()
	config.Generation = func() int { return int(generation.Add(1)) }
	config.Permits = func(*event.Request) (event.Outcome, event.Reason, string) {
		if judged.Add(1) > 1 {
			return event.Skipped, event.ReasonRouteOff, "switched off"
		}
		return "", "", ""
	}
	f.run(config, good)
	f.send(request("lead-1", "+12025550142"))
	if got := f.result(); got.Outcome != event.Skipped || got.Attempts != 0 {
		t.Errorf("ended %s (%s) after %d attempts", got.Outcome, got.Reason, got.Attempts)
	}
	if posts := f.sim.Posts(); posts != 0 {
		t.Errorf("%d create calls, want none", posts)
	}
}

// TestOlderConfigurationGivesARequestBack: during a rolling update a process does
// not know the route that another one has. The lead is called by the other one.
func TestOlderConfigurationGivesARequestBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	old := fast()
	old.Permits = refusing("+1", event.Skipped)
	_, stop := f.runOn(f.process(), f.url, old, good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	testkit.Eventually(t, "the older process has given the request back", func() bool { return f.consumer().Delivered.Consumer == 1 })
	if posts := f.sim.Posts(); posts != 0 || len(f.states(r.ID)) != 0 {
		t.Errorf("%d create calls and ledger %v, want none", posts, f.states(r.ID))
	}
	f.runOn(f.process(), f.url, fast(), good)
	stop()
	if got := f.result(); got.Outcome != event.Accepted || got.RequestID != r.ID {
		t.Errorf("ended %s (%s)", got.Outcome, got.Reason)
	}
}
