package dispatch_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/event"
)

// claimed puts a claim into the ledger that some process took and never ended.
func (w *world) claimed(r event.Request, owner string) {
	w.t.Helper()
	data, err := json.Marshal(dispatch.Record{State: dispatch.Claimed, Attempt: 1, Owner: owner, Nonce: "n", Claimed: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bus.Ledger().Put(w.t.Context(), r.ID, data, 0); err != nil {
		w.t.Fatal(err)
	}
}

func others(n int, to string, age time.Duration) []callabsim.Call {
	calls := make([]callabsim.Call, n)
	for i := range calls {
		calls[i] = callabsim.Call{
			ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), CallTo: to, CallFrom: "+12025550199",
			CreatedAt: time.Now().Add(-age), Notes: "callbridge 00000000-0000-5000-8000-000000000000",
		}
	}
	return calls
}

func TestClaimOfADeadProcess(t *testing.T) {
	t.Parallel()
	const to = "+12025550142"
	for name, c := range map[string]struct {
		placed  bool
		others  []callabsim.Call
		outcome event.Outcome
		reason  event.Reason
	}{
		"that had placed the call":                    {true, nil, event.Accepted, event.ReasonFound},
		"that had not":                                {false, nil, event.Unknown, event.ReasonNotFound},
		"whose call is pages down the list":           {true, others(230, to, 0), event.Accepted, event.ReasonFound},
		"while others call the same number":           {false, others(230, to, 0), event.Unknown, event.ReasonNotFound},
		"while the list is long and old":              {false, others(5000, to, time.Hour), event.Unknown, event.ReasonNotFound},
		"that had placed it, and others' calls older": {true, others(60, to, time.Hour), event.Accepted, event.ReasonFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, callabsim.Options{MaxPerPage: 20})
			r := request("lead-1", to)
			w.claimed(r, "embedded-a process that is gone")
			if c.placed {
				mine := callabsim.Call{ID: "11111111-0000-4000-8000-000000000000", CallTo: to, CreatedAt: time.Now().Add(-time.Minute),
					Notes: "callbridge " + r.ID.String()}
				w.sim.AddCalls(mine)
			}
			w.sim.AddCalls(c.others...)
			w.run(fast(), good)
			w.send(r)
			got := w.result()
			if got.Outcome != c.outcome || got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s (%s)", got.Outcome, got.Reason, got.Detail, c.outcome, c.reason)
			}
			w.done()
			if n := len(w.sim.Placed()); n != 0 {
				t.Errorf("dialled %d times, want 0", n)
			}
		})
	}
}

func TestSimilarCallForbidsARedial(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	w.claimed(r, "embedded-a process that is gone")
	// Callab did not give our id back: one call to this number may be ours.
	w.sim.AddCalls(callabsim.Call{ID: "11111111-0000-4000-8000-000000000000", CallTo: "+12025550142", CreatedAt: time.Now()})
	config := fast()
	config.Redial = true
	w.run(config, good)
	w.send(r)
	got := w.result()
	if got.Outcome != event.Unknown || !strings.Contains(got.Detail, "1 call(s) to the same number") {
		t.Errorf("ended %s: %s", got.Outcome, got.Detail)
	}
	w.done()
	if n := len(w.sim.Placed()); n != 0 {
		t.Errorf("dialled %d times, want 0", n)
	}
}

func TestUnreadableListDecidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.sim.Fail(
		callabsim.Fault{Kind: callabsim.CutAfter},
		callabsim.Fault{Kind: callabsim.ErrorBefore, On: callabsim.OnQuery, Times: 3},
		callabsim.Fault{Kind: callabsim.RefuseOK, On: callabsim.OnQuery, Times: 2},
	)
	config := fast()
	config.Redial = true
	w.run(config, good)
	r := request("lead-1", "+12025550142")
	w.send(r)
	if got := w.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonFound {
		t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if n := w.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}
