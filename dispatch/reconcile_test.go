package dispatch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

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

func TestExpiredClaimIsResolvedByCallabsList(t *testing.T) {
	t.Parallel()
	const to = "+12025550142"
	for name, c := range map[string]struct {
		placed  bool
		others  []callabsim.Call
		outcome event.Outcome
		reason  event.Reason
	}{
		"call was placed":                              {true, nil, event.Accepted, event.ReasonFound},
		"call was not placed":                          {false, nil, event.Unknown, event.ReasonNotFound},
		"call is pages down the list":                  {true, others(230, to, 0), event.Accepted, event.ReasonFound},
		"others call the same number":                  {false, others(230, to, 0), event.Unknown, event.ReasonNotFound},
		"list is long and old":                         {false, others(5000, to, time.Hour), event.Unknown, event.ReasonNotFound},
		"call was placed, and others' calls are older": {true, others(60, to, time.Hour), event.Accepted, event.ReasonFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{MaxPerPage: 20})
			r := request("lead-1", to)
			f.claimed(r, "embedded-an ended process")
			if c.placed {
				mine := callabsim.Call{ID: "11111111-0000-4000-8000-000000000000", CallTo: to, CreatedAt: time.Now().Add(-time.Minute),
					Notes: "callbridge " + r.ID.String()}
				f.sim.AddCalls(mine)
			}
			f.sim.AddCalls(c.others...)
			f.run(fast(), good)
			f.send(r)
			got := f.result()
			if got.Outcome != c.outcome || got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s (%s)", got.Outcome, got.Reason, got.Detail, c.outcome, c.reason)
			}
			f.done()
			if n := len(f.sim.Placed()); n != 0 {
				t.Errorf("dialled %d times, want 0", n)
			}
		})
	}
}

func TestSimilarCallPreventsARedial(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.claimed(r, "embedded-an ended process")
	// Callab did not return the request id: this call to the number may be ours.
	f.sim.AddCalls(callabsim.Call{ID: "11111111-0000-4000-8000-000000000000", CallTo: "+12025550142", CreatedAt: time.Now()})
	config := fast()
	config.Redial = true
	f.run(config, good)
	f.send(r)
	got := f.result()
	if got.Outcome != event.Unknown || !strings.Contains(got.Detail, "1 call(s) to the same number") {
		t.Errorf("ended %s: %s", got.Outcome, got.Detail)
	}
	f.done()
	if n := len(f.sim.Placed()); n != 0 {
		t.Errorf("dialled %d times, want 0", n)
	}
}

func TestUnreadableListDecidesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(
		callabsim.Fault{Kind: callabsim.CutAfter},
		callabsim.Fault{Kind: callabsim.ErrorBefore, On: callabsim.OnQuery, Times: 3},
		callabsim.Fault{Kind: callabsim.RefuseOK, On: callabsim.OnQuery, Times: 2},
	)
	config := fast()
	config.Redial = true
	f.run(config, good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	f.wantFound(r)
}

// TestClaimOfARemoteProcessExpiresByAge: a second callbridge may use the NATS that
// is embedded in the first. The store lock proves nothing about the second, so
// its claim expires only after ClaimAge.
func TestClaimOfARemoteProcessExpiresByAge(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.claimed(r, "a process elsewhere")
	f.send(r)
	_, stop := f.run(fast(), good)
	testkit.Eventually(t, "the request was delivered and returned", func() bool {
		return f.consumer().NumAckPending == 1 && f.consumer().Delivered.Consumer >= 1
	})
	stop()
	if want := []record.State{record.Claimed}; !slices.Equal(f.states(r.ID), want) {
		t.Errorf("ledger went %v, want %v", f.states(r.ID), want)
	}
}

func TestSweepResumesARequestThatIsNotDelivered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.claimed(r, "embedded-an ended process")
	f.send(r)
	// Another client acknowledges the request, so it is not redelivered.
	consumer, err := f.js.Consumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Acknowledge(t, consumer)

	config := fast()
	config.WriteWindow, config.Settle = 100*time.Millisecond, 100*time.Millisecond
	config.ClaimAge, config.SweepEvery = 3500*time.Millisecond, 300*time.Millisecond
	f.run(config, good)
	if got := f.result(); got.RequestID != r.ID || got.Outcome != event.Unknown {
		t.Errorf("ended %s (%s) for %s", got.Outcome, got.Reason, got.RequestID)
	}
}

// TestStateOfANewerVersionIsLeftAlone: during a rolling update a newer process may
// write a state that this one does not know. The request must not be
// acknowledged, since it has no result yet.
func TestStateOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.write(r, record.Record{State: "from a newer version", Attempt: 1})
	f.send(r)
	f.run(fast(), good)
	testkit.Eventually(t, "the request is redelivered", func() bool { return f.consumer().NumRedelivered > 0 })
	if posts := f.sim.Posts(); posts != 0 || len(f.results) != 0 || len(f.states(r.ID)) != 1 {
		t.Errorf("%d calls, %d results, states %v; want no change", posts, len(f.results), f.states(r.ID))
	}
}
