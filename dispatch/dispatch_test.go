package dispatch_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/event"
)

func TestRequestBecomesOneCallAndOneResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.run(fast(), good)
	r := request("lead-1", "+12025550142")
	w.send(r)
	got := w.result()
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
	w.done()
	if n := w.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
	if want := []dispatch.State{dispatch.Claimed, dispatch.Accepted}; !slices.Equal(w.states(r.ID), want) {
		t.Errorf("ledger went %v, want %v", w.states(r.ID), want)
	}
}

// TestFaultsEndAsTheDesignSays holds dispatch, client and simulator together
// against the table of DESIGN §5: what each answer of Callab leads to, and how
// often a phone rings.
func TestFaultsEndAsTheDesignSays(t *testing.T) {
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
		"429 for ever":                {callabsim.Fault{Kind: callabsim.Throttle, Times: callabsim.Always}, park, event.Failed, event.ReasonNotSent, 0},
		"500 after placing":           {callabsim.Fault{Kind: callabsim.ErrorAfter}, park, event.Accepted, event.ReasonFound, 1},
		"500 without placing":         {callabsim.Fault{Kind: callabsim.ErrorBefore}, park, event.Unknown, event.ReasonNotFound, 0},
		"500 without placing, redial": {callabsim.Fault{Kind: callabsim.ErrorBefore}, redial, event.Accepted, event.ReasonCreated, 1},
		"500 after placing, redial":   {callabsim.Fault{Kind: callabsim.ErrorAfter}, redial, event.Accepted, event.ReasonFound, 1},
		"500 for ever, redial":        {callabsim.Fault{Kind: callabsim.ErrorBefore, Times: callabsim.Always}, redial, event.Unknown, event.ReasonNotFound, 0},
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
			w := newWorld(t, callabsim.Options{})
			w.sim.Fail(c.fault)
			config := fast()
			config.Redial = c.redial
			if c.fault.Times == callabsim.Always {
				config.Attempts = 2
			}
			w.run(config, good)
			r := request("lead-1", "+12025550142")
			w.send(r)
			got := w.result()
			if got.Outcome != c.outcome || got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s (%s)", got.Outcome, got.Reason, got.Detail, c.outcome, c.reason)
			}
			w.done()
			if n := w.dialled(r.ID); n != c.placed {
				t.Errorf("dialled %d times, want %d", n, c.placed)
			}
			if len(w.results) != 0 {
				t.Error("a second result was published")
			}
		})
	}
}

func TestMakeCallIsFoundByItsVariable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.sim.Fail(callabsim.Fault{Kind: callabsim.CutAfter})
	config := fast()
	config.MakeCall = true
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

func TestRequestOnTheBusTwiceIsDialledOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody publishes without asking the server to refuse repeats.
	for range 5 {
		if _, err := w.js.Publish(t.Context(), w.bus.RequestSubject("website", r.ID), body); err != nil {
			t.Fatal(err)
		}
	}
	w.run(fast(), good)
	w.result()
	w.done()
	if n := w.dialled(r.ID); n != 1 || len(w.results) != 0 {
		t.Errorf("dialled %d times with %d more results, want 1 and 0", n, len(w.results))
	}
}

func TestRequestsThatCannotBeDialledAreRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.run(fast(), good)
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
		if _, err := w.js.Publish(t.Context(), subject, []byte(c.body)); err != nil {
			t.Fatal(err)
		}
	}
	// Two ids, two results: the same request is reported once.
	for range 2 {
		got := w.result()
		if got.Outcome != event.Rejected || got.Reason != event.ReasonBadRequest || got.Detail == "" {
			t.Errorf("ended %s (%s: %q)", got.Outcome, got.Reason, got.Detail)
		}
	}
	w.done()
	if len(w.sim.Placed()) != 0 {
		t.Error("one of them was dialled")
	}
}

func TestMinimalRequestOfSomebodyElseIsDialled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, callabsim.Options{})
	w.run(fast(), good)
	id := request("x", "+12025550142").ID
	message := nats.NewMsg("callbridge.request.by-hand." + id.String() + ".ready")
	message.Data = []byte(`{"call":{"ai_agent_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","call_from":"+12025550100","call_to":"+12025550142","metadata":{"order":9007199254740993}}}`)
	message.Header.Set(bus.TraceHeader, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if _, err := w.js.PublishMsg(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	got := w.result()
	if got.Outcome != event.Accepted || got.RequestID != id || got.Event.Source != "by-hand" {
		t.Errorf("ended %s (%s: %s) for %s", got.Outcome, got.Reason, got.Detail, got.Event.Source)
	}
	if got.TraceParent != message.Header.Get(bus.TraceHeader) {
		t.Errorf("trace context %q is gone", got.TraceParent)
	}
	if p := w.sim.Placed()[0]; !p.Mentions(id.String()) || !p.Mentions("9007199254740993") {
		t.Errorf("sent %s", p.Body)
	}
}
