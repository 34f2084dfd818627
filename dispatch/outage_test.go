package dispatch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/dispatch/breaker"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestOutageOfCallabHoldsTheQueue: Callab places calls and answers 500, to a search as
// well. A few calls in a row become unknown, and then one at a time. When Callab is back,
// they are found, and all others are placed: none is left to a person.
func TestOutageOfCallabHoldsTheQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	var log testkit.Log
	f.log = log.Logger()
	f.sim.Fail(callabsim.Fault{Kind: callabsim.ErrorAfter, On: callabsim.OnAll, Times: callabsim.Always})
	d, _ := f.run(fast(), good)
	const calls = 60
	f.sendMany(calls)
	testkit.Eventually(t, "the breaker is open", func() bool { return d.State() != breaker.Closed })
	testkit.Eventually(t, "a probe is sent", func() bool { return f.sim.Posts() >= breaker.TripAfter+2 })
	if most := breaker.TripAfter + fast().Concurrency + 4; f.sim.Posts() > most {
		t.Errorf("%d calls placed in an outage, want %d at most", f.sim.Posts(), most)
	}
	if err := d.Held(); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("held: %v", err)
	}
	f.sim.ClearFaults()
	reasons := map[event.Reason]int{}
	for range calls {
		got := f.result()
		if got.Outcome != event.Accepted {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
		reasons[got.Reason]++
	}
	if reasons[event.ReasonFound] < breaker.TripAfter || reasons[event.ReasonFound]+reasons[event.ReasonCreated] != calls {
		t.Errorf("results %v, want the unknown calls found and all others created", reasons)
	}
	f.done()
	if n := len(f.sim.Placed()); n != calls || d.State() != breaker.Closed || d.Held() != nil {
		t.Errorf("%d calls for %d requests, breaker %s", n, calls, d.State())
	}
	for _, message := range []string{"dispatch.breaker_opened", "dispatch.breaker_closed"} {
		if n := strings.Count(log.String(), message); n != 1 {
			t.Errorf("%d lines %s, want 1", n, message)
		}
	}
}

// TestAnswersAboutUsHoldTheQueue: a wrong CALLAB_URL, or an account without credit,
// rejects no call.
func TestAnswersAboutUsHoldTheQueue(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusPaymentRequired: "credit", http.StatusNotFound: "CALLAB_URL", http.StatusMethodNotAllowed: "CALLAB_URL",
		http.StatusUpgradeRequired: "CALLAB_URL", http.StatusTeapot: "CALLAB_URL",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			var mended atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !mended.Load() {
					w.WriteHeader(status)
					return
				}
				f.sim.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			config := fast()
			config.Attempts = 1
			d, _ := f.runOn(f.bus, server.URL, config, good)
			const calls = 5
			f.sendMany(calls)
			testkit.Eventually(t, "calls are held", func() bool { return d.Held() != nil })
			if err := d.Held(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("HTTP %d", status)) || !strings.Contains(err.Error(), want) {
				t.Errorf("held: %v, want a word about %s", err, want)
			}
			mended.Store(true)
			for range calls {
				if got := f.result(); got.Outcome != event.Accepted || got.Attempts != 1 {
					t.Errorf("ended %s (%s: %s) after %d attempts", got.Outcome, got.Reason, got.Detail, got.Attempts)
				}
			}
		})
	}
}

// TestAnswerReplacesAFreeRecordOfItsAttempt: another process took the call for missing,
// while this one waited for Callab's answer. It must not dial again with the answer in
// its hands.
func TestAnswerReplacesAFreeRecordOfItsAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 700 * time.Millisecond})
	f.run(fast(), good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	f.overwriteClaim(r, func(claim record.Record) []byte {
		claim.State, claim.Nonce = record.Free, "of another process"
		data, err := event.Marshal(claim)
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
	if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonCreated || got.Attempts != 1 {
		t.Errorf("ended %s (%s) after %d attempts", got.Outcome, got.Reason, got.Attempts)
	}
	f.done()
	if n := f.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}

// TestWaitOfABridgeWithAWrongClock: its not_before is an hour ahead, and holds no other
// bridge for longer than the delay.
func TestWaitOfABridgeWithAWrongClock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	for key, wait := range map[string]int64{"lead-1": 500, "of an earlier version": 0} {
		r := request(key, "+12025550142")
		f.write(r, record.Record{State: record.Free, Attempt: 1, Owner: "fast clock", Nonce: "n", NotBefore: time.Now().Add(time.Hour), WaitMS: wait})
		f.send(r)
	}
	f.run(fast(), good)
	for range 2 {
		if got := f.result(); got.Outcome != event.Accepted || got.Attempts != 2 {
			t.Errorf("ended %s (%s) after %d attempts", got.Outcome, got.Reason, got.Attempts)
		}
	}
}
