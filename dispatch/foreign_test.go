package dispatch_test

import (
	"strings"
	"testing"

	"callbridge/callab/callabsim"
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
