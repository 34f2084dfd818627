package dispatch_test

import (
	"strings"
	"testing"

	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestARecordWithoutAStateMeansNoCall: such a record is not from callbridge. NATS writes
// one, its acknowledgement, for a client that names a subject of the ledger as the reply
// subject of its message.
func TestARecordWithoutAStateMeansNoCall(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"an acknowledgement": `{"stream":"CALLBRIDGE_REQUESTS","seq":5}`, "an empty state": `{"state":""}`, "an empty object": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			var log testkit.Log
			f.log = log.Logger()
			r := request("lead-1", "+12025550142")
			if _, err := f.bus.Ledger().Put(t.Context(), r.ID, []byte(record), 0); err != nil {
				t.Fatal(err)
			}
			_, stop := f.run(fast(), good)
			f.send(r)
			testkit.Eventually(t, "the record is refused", func() bool { return strings.Contains(log.String(), "has no state") || f.sim.Posts() > 0 })
			stop()
			if n := f.sim.Posts(); n != 0 {
				t.Errorf("dialled %d times over a record that is not understood", n)
			}
		})
	}
}

// TestAnIDOfAnotherSourceMakesNoLeadAccepted: ids can be predicted. A service that may
// request calls of its own source could take the id of a lead, whose result would then be
// that of the service's call.
func TestAnIDOfAnotherSourceMakesNoLeadAccepted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	lead := request("lead-1", "+12025550142")
	foreign := lead
	foreign.Event.Source, foreign.Call = "producer", request("other", "+12025550143").Call
	_, stop := f.run(fast(), good)
	defer stop()
	f.send(foreign)
	if got := f.result(); got.Outcome != event.Accepted || got.Event.Source != "producer" {
		t.Fatalf("the foreign request is %s of %s", got.Outcome, got.Event.Source)
	}
	f.send(lead)
	got := f.result()
	if got.Outcome != event.Rejected || got.Reason != event.ReasonBadRequest || got.Event.Source != lead.Event.Source || !strings.Contains(got.Detail, "source producer") {
		t.Errorf("the lead is %s %s: %q", got.Outcome, got.Reason, got.Detail)
	}
	if n := f.sim.Posts(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
}
