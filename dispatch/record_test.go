package dispatch

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
)

// A record is written as encoding/json would write it.
func TestRecordIsEncodedAsItsFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 2*60*60))
	reasons := []event.Reason{"", event.ReasonCreated, event.ReasonFound, event.ReasonNotFound, event.ReasonRefused, event.ReasonNotSent, event.ReasonBadRequest}
	for _, state := range slices.Concat([]State{""}, allStates) {
		for _, reason := range reasons {
			for _, r := range []Record{
				{},
				{Attempt: 1, Owner: lockHolder + uuid.NewString(), Nonce: uuid.NewString(), Claimed: at},
				{Attempt: 24, Owner: uuid.NewString(), Claimed: time.Now(), NotBefore: at.Add(time.Minute), Call: json.RawMessage(`{"id":"a","n":[1,"é"]}`)},
				{Detail: "HTTP 400: \"no\" <such> agent\n"},
			} {
				r.State, r.Reason = state, reason
				want, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := r.encode(); err != nil || string(got) != string(want) {
					t.Errorf("wrote\n%s\nwant\n%s (%v)", got, want, err)
				}
			}
		}
	}
}
