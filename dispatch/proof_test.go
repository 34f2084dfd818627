package dispatch_test

import (
	"encoding/json"
	"testing"

	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/dispatch"
	"callbridge/event"
)

// withNotes returns the request with notes of its own.
func withNotes(t *testing.T, r event.Request, notes string) event.Request {
	t.Helper()
	var call callab.NewCall
	if err := json.Unmarshal(r.Call, &call); err != nil {
		t.Fatal(err)
	}
	call.Notes = notes
	body, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	r.Call = body
	return r
}

// TestNotesWithOurNameAreNotAnotherID: every call is placed and its answer lost.
// Whatever Callab forgets and whatever the notes say, one person is called once.
func TestNotesWithOurNameAreNotAnotherID(t *testing.T) {
	t.Parallel()
	const variables = "agent_dynamic_variables"
	for name, c := range map[string]struct {
		notes    string
		forgets  []string
		makeCall bool
		reason   event.Reason
	}{
		"our name":                          {"callbridge lead of Ada", []string{"metadata"}, false, event.ReasonFound},
		"our name, no notes returned":       {"callbridge lead of Ada", []string{"metadata", "notes"}, false, event.ReasonNotFound},
		"form text with our name":           {"Message: callbridge x", []string{"metadata"}, false, event.ReasonFound},
		"form text like an id":              {"callbridge 00000000-0000-5000-8000-000000000000", []string{"metadata"}, false, event.ReasonFound},
		"no notes of its own, none kept":    {"", []string{"metadata", "notes"}, false, event.ReasonNotFound},
		"make-call returns the variable":    {"callbridge lead of Ada", []string{"metadata"}, true, event.ReasonFound},
		"make-call returns nothing we sent": {"callbridge lead of Ada", []string{"metadata", variables}, true, event.ReasonNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{Forgets: c.forgets, Faults: []callabsim.Fault{
				{Kind: callabsim.ErrorAfter, Times: callabsim.Always},
			}})
			config := fast()
			config.Redial, config.MakeCall = true, c.makeCall
			f.run(config, good)
			f.send(withNotes(t, request("lead-1", "+12025550142"), c.notes))
			if got := f.result(); got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s", got.Outcome, got.Reason, got.Detail, c.reason)
			}
			f.done()
			if n := len(f.sim.Placed()); n != 1 {
				t.Errorf("one person was called %d times, want 1", n)
			}
		})
	}
}

// TestCallOfAnotherPersonIsNotOurs: a form text that predicts our id makes no
// call that was never placed accepted.
func TestCallOfAnotherPersonIsNotOurs(t *testing.T) {
	t.Parallel()
	const to = "+12025550142"
	r := request("lead-1", to)
	other := request("lead-2", to).ID.String()
	for name, call := range map[string]callabsim.Call{
		"metadata of another request": {CallTo: to, Notes: "callbridge " + r.ID.String(), Metadata: map[string]any{event.RequestKey: other}},
		"variable of another request": {CallTo: to, Notes: "callbridge " + r.ID.String(), AgentDynamicVariables: map[string]any{event.RequestKey: other}},
		"another number":              {CallTo: "+12025550143", Notes: "callbridge " + r.ID.String()},
		"our id amid its text":        {CallTo: to, Notes: "callbridge " + r.ID.String() + "\ncallbridge " + other},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			f.claimed(r, "embedded-an ended process")
			call.ID = "22222222-0000-4000-8000-000000000000"
			f.sim.AddCalls(call)
			config := fast()
			config.Redial = true
			f.run(config, good)
			f.send(r)
			if got := f.result(); got.Outcome != event.Accepted || got.Reason != event.ReasonCreated {
				t.Errorf("ended %s (%s: %s), want a call of its own", got.Outcome, got.Reason, got.Detail)
			}
			if n := f.dialled(r.ID); n != 1 {
				t.Errorf("dialled %d times, want 1", n)
			}
			if states := f.states(r.ID); states[len(states)-1] != dispatch.Accepted {
				t.Errorf("ledger went %v", states)
			}
		})
	}
}
