package dispatch_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestRefusedCreateCallCostsNoAttempt: the token may read the list and may not
// create calls. Only the create call counts, and nothing is used up.
func TestRefusedCreateCallCostsNoAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	var log testkit.Log
	f.log = log.Logger()
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Forbidden, Times: callabsim.Always})
	config := fast()
	config.Attempts = 1
	d, _ := f.run(config, good)
	began := time.Now()
	requests := []event.Request{request("lead-1", "+12025550142"), request("lead-2", "+12025550143")}
	f.send(requests...)
	testkit.Eventually(t, "the create call was refused again after a wait", func() bool { return f.sim.Posts() > len(requests) })
	if waited := time.Since(began); waited < 2*time.Second {
		t.Errorf("tried again after %s", waited)
	}
	if err := d.Ready(); err == nil || !strings.Contains(err.Error(), "HTTP 403") {
		t.Errorf("readiness: %v, want the refusal", err)
	}
	f.sim.ClearFaults()
	for range requests {
		if got := f.result(); got.Outcome != event.Accepted || got.Attempts != 1 {
			t.Errorf("ended %s (%s: %s) after %d attempts, want accepted by the first that counts", got.Outcome, got.Reason, got.Detail, got.Attempts)
		}
	}
	if err := d.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	for _, message := range []string{"dispatch.credentials_refused", "dispatch.credentials_accepted"} {
		if n := strings.Count(log.String(), message); n != 1 {
			t.Errorf("%d lines %s, want 1", n, message)
		}
	}
}

// TestOneRefusedRequestDoesNotStopOthers: Callab refuses the calls to one number
// only, as for an agent of another workspace. That request uses up its attempts.
func TestOneRefusedRequestDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Forbidden, Times: callabsim.Always, CallTo: "+12025550143"})
	config := fast()
	config.Concurrency, config.Attempts = 1, 2
	f.run(config, good)
	f.send(request("refused", "+12025550143"), request("lead-1", "+12025550142"), request("lead-2", "+12025550142"))
	outcomes := map[event.Outcome]int{}
	for range 3 {
		outcomes[f.result().Outcome]++
	}
	if outcomes[event.Accepted] != 2 || outcomes[event.Failed] != 1 {
		t.Errorf("outcomes %v, want 2 accepted and 1 failed", outcomes)
	}
	if states := f.states(request("refused", "").ID); !slices.Equal(states[len(states)-1:], []record.State{record.Failed}) {
		t.Errorf("ledger went %v", states)
	}
}
