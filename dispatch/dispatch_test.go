package dispatch_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestRequestBecomesOneCallAndOneResult(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(fast(), good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	got := f.result()
	if got.Outcome != event.Accepted || got.Reason != event.ReasonCreated || got.RequestID != r.ID || got.Attempts != 1 {
		t.Errorf("result = %s (%s) of %s after %d attempts", got.Outcome, got.Reason, got.RequestID, got.Attempts)
	}
	var call map[string]any
	if err := json.Unmarshal(got.Call, &call); err != nil || call["id"] == "" || call["call_to"] != "+12025550142" {
		t.Errorf("the result does not carry Callab's whole answer: %s", got.Call)
	}
	if string(got.Event.Data) != string(r.Event.Data) || got.Route != "new-lead" {
		t.Errorf("the result does not carry what led to it: %+v", got.Event)
	}
	f.done()
	if n := f.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
	if want := []record.State{record.Claimed, record.Accepted}; !slices.Equal(f.states(r.ID), want) {
		t.Errorf("ledger went %v, want %v", f.states(r.ID), want)
	}
}

// TestEachFaultOfCallabHasOneOutcome checks dispatch, client and simulator
// together: which result each fault leads to, and how often a phone rings.
func TestEachFaultOfCallabHasOneOutcome(t *testing.T) {
	t.Parallel()
	park, redial := false, true
	for name, c := range map[string]struct {
		fault   callabsim.Fault
		redial  bool
		outcome event.Outcome
		reason  event.Reason
		placed  int
	}{
		"400":                         {callabsim.Fault{Kind: callabsim.Refuse}, park, event.Rejected, event.ReasonRefused, 0},
		"200 with an error":           {callabsim.Fault{Kind: callabsim.RefuseOK}, park, event.Rejected, event.ReasonRefused, 0},
		"429 once":                    {callabsim.Fault{Kind: callabsim.Throttle}, park, event.Accepted, event.ReasonCreated, 1},
		"429 always":                  {callabsim.Fault{Kind: callabsim.Throttle, Times: callabsim.Always}, park, event.Failed, event.ReasonNotSent, 0},
		"500 after placing":           {callabsim.Fault{Kind: callabsim.ErrorAfter}, park, event.Accepted, event.ReasonFound, 1},
		"500 without placing":         {callabsim.Fault{Kind: callabsim.ErrorBefore}, park, event.Unknown, event.ReasonNotFound, 0},
		"500 without placing, redial": {callabsim.Fault{Kind: callabsim.ErrorBefore}, redial, event.Accepted, event.ReasonCreated, 1},
		"500 after placing, redial":   {callabsim.Fault{Kind: callabsim.ErrorAfter}, redial, event.Accepted, event.ReasonFound, 1},
		"500 always, redial":          {callabsim.Fault{Kind: callabsim.ErrorBefore, Times: callabsim.Always}, redial, event.Unknown, event.ReasonNotFound, 0},
		"hang after placing":          {callabsim.Fault{Kind: callabsim.HangAfter}, park, event.Accepted, event.ReasonFound, 1},
		"hang without placing":        {callabsim.Fault{Kind: callabsim.HangBefore}, park, event.Unknown, event.ReasonNotFound, 0},
		"cut after placing":           {callabsim.Fault{Kind: callabsim.CutAfter}, park, event.Accepted, event.ReasonFound, 1},
		"cut without placing":         {callabsim.Fault{Kind: callabsim.CutBefore}, park, event.Unknown, event.ReasonNotFound, 0},
		"cut in the answer":           {callabsim.Fault{Kind: callabsim.CutMiddle}, park, event.Accepted, event.ReasonFound, 1},
		"garbage":                     {callabsim.Fault{Kind: callabsim.Garbage}, park, event.Accepted, event.ReasonFound, 1},
		"no id":                       {callabsim.Fault{Kind: callabsim.NoID}, park, event.Accepted, event.ReasonFound, 1},
		"slow":                        {callabsim.Fault{Kind: callabsim.Slow, Delay: 300 * time.Millisecond}, park, event.Accepted, event.ReasonCreated, 1},
		"too slow":                    {callabsim.Fault{Kind: callabsim.Slow, Delay: 3 * time.Second}, park, event.Accepted, event.ReasonFound, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			f.sim.Fail(c.fault)
			config := fast()
			config.Redial = c.redial
			if c.fault.Times == callabsim.Always {
				config.Attempts = 2
			}
			f.run(config, good)
			r := request("lead-1", "+12025550142")
			f.send(r)
			got := f.result()
			if got.Outcome != c.outcome || got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s (%s)", got.Outcome, got.Reason, got.Detail, c.outcome, c.reason)
			}
			f.done()
			if n := f.dialled(r.ID); n != c.placed {
				t.Errorf("dialled %d times, want %d", n, c.placed)
			}
			if len(f.results) != 0 {
				t.Error("a second result was published")
			}
		})
	}
}

func TestMakeCallIsFoundByItsVariable(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.CutAfter})
	config := fast()
	config.MakeCall = true
	f.run(config, good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	f.wantFound(r)
}

func TestDuplicateRequestIsDialledOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	// Another client publishes without asking the server to refuse duplicates.
	for range 5 {
		if _, err := f.js.Publish(t.Context(), f.bus.RequestSubject("website", r.ID), body); err != nil {
			t.Fatal(err)
		}
	}
	f.run(fast(), good)
	f.result()
	f.done()
	if n := f.dialled(r.ID); n != 1 || len(f.results) != 0 {
		t.Errorf("dialled %d times with %d more results, want 1 and 0", n, len(f.results))
	}
}

func TestRequestsThatCannotBeDialledAreRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(fast(), good)
	id := request("x", "+12025550142").ID.String()
	for _, c := range []struct{ id, body string }{
		{id, `{`},
		{id, `{}`},
		{id, `{"call":{"ai_agent_id":"a"}}`},
		{id, `{"call":{"call_to":"(202) 555-0142"}}`},
		{id, `{"id":"` + request("y", "+12025550142").ID.String() + `","call":{"call_to":"+12025550142"}}`},
		{"not-a-uuid", `{"call":{"call_to":"+12025550142"}}`},
	} {
		subject := fmt.Sprintf("callbridge.request.by-hand.%s.ready", c.id)
		if _, err := f.js.Publish(t.Context(), subject, []byte(c.body)); err != nil {
			t.Fatal(err)
		}
	}
	// Two ids, two results: the same request is reported once.
	for range 2 {
		got := f.result()
		if got.Outcome != event.Rejected || got.Reason != event.ReasonBadRequest || got.Detail == "" {
			t.Errorf("ended %s (%s: %q)", got.Outcome, got.Reason, got.Detail)
		}
	}
	f.done()
	if len(f.sim.Placed()) != 0 {
		t.Error("one of them was dialled")
	}
}

func TestMinimalRequestOfAnotherServiceIsDialled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.run(fast(), good)
	id := request("x", "+12025550142").ID
	message := nats.NewMsg("callbridge.request.by-hand." + id.String() + ".ready")
	message.Data = []byte(`{"call":{"ai_agent_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","call_from":"+12025550100","call_to":"+12025550142","metadata":{"order":9007199254740993}}}`)
	message.Header.Set(bus.TraceHeader, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if _, err := f.js.PublishMsg(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	got := f.result()
	if got.Outcome != event.Accepted || got.RequestID != id || got.Event.Source != "by-hand" {
		t.Errorf("ended %s (%s: %s) for %s", got.Outcome, got.Reason, got.Detail, got.Event.Source)
	}
	if got.TraceParent != message.Header.Get(bus.TraceHeader) {
		t.Errorf("trace context %q is lost", got.TraceParent)
	}
	if p := f.sim.Placed()[0]; !p.Mentions(id.String()) || !p.Mentions("9007199254740993") {
		t.Errorf("sent %s", p.Body)
	}
}

func TestRefusedTokenPausesDiallingUntilItWorks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	var current atomic.Value
	current.Store("revoked")
	d, _ := f.run(fast(), func() string { return current.Load().(string) })
	var requests []event.Request
	for i := range 20 {
		requests = append(requests, request(fmt.Sprint("lead-", i), "+12025550142"))
	}
	f.send(requests...)
	testkit.Eventually(t, "readiness is red", func() bool { return d.Ready() != nil })
	posts := f.sim.Posts()
	if posts > fast().Concurrency {
		t.Errorf("%d POSTs with a refused token, want at most %d", posts, fast().Concurrency)
	}
	current.Store(token)
	for range requests {
		if got := f.result(); got.Outcome != event.Accepted {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	if err := d.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	if n := len(f.sim.Placed()); n != len(requests) {
		t.Errorf("%d calls, want %d", n, len(requests))
	}
}

func TestDiallingResumesWhenCallabIsBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	address := fmt.Sprint("127.0.0.1:", bustest.Port(t))
	f.runOn(f.bus, "http://"+address, fast(), good)
	r := request("lead-1", "+12025550142")
	f.send(r)
	testkit.Eventually(t, "an attempt has failed", func() bool { return len(f.states(r.ID)) >= 2 })

	back, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f.sim}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(back) }()
	got := f.result()
	if got.Outcome != event.Accepted || got.Attempts < 2 {
		t.Errorf("ended %s (%s: %s) after %d attempts", got.Outcome, got.Reason, got.Detail, got.Attempts)
	}
	if n := f.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}

func TestTwoProcessesShareTheQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{Latency: 5 * time.Millisecond})
	f.runOn(f.process(), f.url, fast(), good)
	f.runOn(f.process(), f.url, fast(), good)
	const n = 200
	f.sendMany(n)
	for range n {
		if got := f.result(); got.Outcome != event.Accepted {
			t.Fatalf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	f.done()
	for i := range n {
		if dialled := f.dialled(request(fmt.Sprint("lead-", i), "").ID); dialled != 1 {
			t.Errorf("lead-%d was dialled %d times, want 1", i, dialled)
		}
	}
}

func TestStopFinishesRunningCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.sim.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: 500 * time.Millisecond, Times: callabsim.Always})
	config := fast()
	_, stop := f.run(config, good)
	f.sendMany(config.Concurrency)
	testkit.Eventually(t, "all calls are sent", func() bool { return f.sim.Posts() == config.Concurrency })
	stop()
	for range config.Concurrency {
		if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonCreated {
			t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
		}
	}
	f.done()
}

func TestValidateNamesTheVariables(t *testing.T) {
	t.Parallel()
	good := dispatch.Config{
		Concurrency: 8, Rate: 5, Attempts: 24, WriteWindow: 5 * time.Second, CallTimeout: 15 * time.Second,
		APIIdle: 75 * time.Second, ClaimAge: 2 * time.Minute, Settle: time.Minute,
	}
	if err := good.Validate(30 * time.Second); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	for name, c := range map[string]struct {
		change  func(*dispatch.Config)
		ackWait time.Duration
		want    []string
	}{
		"claim expires before the call must have ended": {func(c *dispatch.Config) { c.ClaimAge = 90 * time.Second }, 30 * time.Second,
			[]string{"DIAL_CLAIM_AGE 1m30s", "CALLAB_TIMEOUT 15s", "CALLAB_IDLE 1m15s", "1m37s"}},
		"timeout longer than the claim": {func(c *dispatch.Config) { c.CallTimeout = time.Hour }, 30 * time.Second,
			[]string{"DIAL_CLAIM_AGE", "CALLAB_TIMEOUT 1h0m0s"}},
		"acknowledgement wait too short for progress reports": {func(*dispatch.Config) {}, 2 * time.Second, []string{"DIAL_ACK_WAIT 2s"}},
		"redelivery after the claim has expired": {func(*dispatch.Config) {}, time.Hour,
			[]string{"DIAL_ACK_WAIT 1h0m0s", "DIAL_CLAIM_AGE 2m0s"}},
		"list settled before the write window ends": {func(c *dispatch.Config) { c.Settle = time.Second }, 30 * time.Second,
			[]string{"DIAL_SETTLE 1s", "DIAL_WRITE_WINDOW 5s"}},
		"zero": {func(c *dispatch.Config) { c.Settle, c.Concurrency = 0, 0 }, 0,
			[]string{"DIAL_SETTLE must be above zero", "DIAL_ACK_WAIT must be above zero", "DIAL_CONCURRENCY"}},
		"negative rate": {func(c *dispatch.Config) { c.Rate = -1 }, 30 * time.Second, []string{"DIAL_RATE"}},
		"no attempts":   {func(c *dispatch.Config) { c.Attempts = 0 }, 30 * time.Second, []string{"DIAL_ATTEMPTS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			c.change(&config)
			err := config.Validate(c.ackWait)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}
