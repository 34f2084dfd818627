package handlers

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"callbridge/event"
)

// TestAnswerIsTheJSONThatIsPromised holds encode against the members that
// docs/openapi.yaml names.
func TestAnswerIsTheJSONThatIsPromised(t *testing.T) {
	t.Parallel()
	type promised struct {
		ID       uuid.UUID    `json:"id"`
		Status   status       `json:"status"`
		Requests []uuid.UUID  `json:"requests,omitempty"`
		Reason   event.Reason `json:"reason,omitempty"`
		Field    string       `json:"field,omitempty"`
	}
	events := []promised{
		{ID: uuid.New(), Status: pending},
		{ID: uuid.New(), Status: requested, Requests: []uuid.UUID{uuid.New()}},
		{ID: uuid.New(), Status: duplicate, Requests: []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}},
		{ID: uuid.New(), Status: rejected, Reason: event.ReasonMissingField, Field: "phone_2"},
		{ID: uuid.New(), Status: skipped, Reason: event.ReasonNoRoute},
	}
	for n := range len(events) + 1 {
		a := answer{}
		for _, e := range events[:n] {
			a.Events = append(a.Events, eventAnswer{ID: e.ID, Status: e.Status, Requests: e.Requests, Reason: e.Reason, Field: e.Field})
		}
		var got struct {
			Events []promised `json:"events"`
		}
		if err := json.Unmarshal(a.encode(), &got); err != nil {
			t.Fatalf("%s: %v", a.encode(), err)
		}
		if got.Events == nil || len(got.Events) != n || n > 0 && !reflect.DeepEqual(got.Events, events[:n]) {
			t.Errorf("got %s", a.encode())
		}
	}
}
