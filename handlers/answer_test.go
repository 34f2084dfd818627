package handlers

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"callbridge/event"
)

func TestAnswerHasTheDocumentedMembers(t *testing.T) {
	t.Parallel()
	first, second := uuid.MustParse("6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11"), uuid.MustParse("6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c12")
	for _, c := range []struct {
		name string
		in   answer
		want string
	}{
		{"no event", answer{Events: []eventAnswer{}}, `{"events":[]}`},
		{"pending", answer{Events: []eventAnswer{{ID: first, Status: pending}}},
			`{"events":[{"id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","status":"pending"}]}`},
		{"two calls", answer{Events: []eventAnswer{{ID: first, Status: requested, Requests: []uuid.UUID{first, second}}}},
			`{"events":[{"id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","status":"requested","requests":["6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c12"]}]}`},
		{"two events", answer{Events: []eventAnswer{
			{ID: first, Status: rejected, Reason: event.ReasonMissingField, Field: "phone_2"}, {ID: second, Status: skipped, Reason: event.ReasonNoRoute},
		}}, `{"events":[{"id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","status":"rejected","reason":"missing_field","field":"phone_2"},` +
			`{"id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c12","status":"skipped","reason":"no_route"}]}`},
	} {
		if got := encode(c.in); string(got) != c.want+"\n" || !json.Valid(got) {
			t.Errorf("%s: got %s", c.name, got)
		}
	}
}

func TestRequestedIsReportedBeforeRejectedBeforeSkipped(t *testing.T) {
	t.Parallel()
	request := event.Item{Request: &event.Request{ID: uuid.New()}}
	reject := event.Item{Result: &event.Result{Outcome: event.Rejected, Reason: event.ReasonBadPhone, Field: "phone"}}
	skip := event.Item{Result: &event.Result{Outcome: event.Skipped, Reason: event.ReasonDryRun}}
	for _, c := range []struct {
		name   string
		items  []event.Item
		status status
		reason event.Reason
	}{
		{"rejected and skipped", []event.Item{reject, skip}, rejected, event.ReasonBadPhone},
		{"skipped and rejected", []event.Item{skip, reject}, rejected, event.ReasonBadPhone},
		{"rejected, skipped and requested", []event.Item{reject, skip, request}, requested, ""},
		{"requested, rejected and skipped", []event.Item{request, reject, skip}, requested, ""},
		{"pending", []event.Item{{Pending: &event.Pending{}}}, pending, ""},
	} {
		var a eventAnswer
		for _, item := range c.items {
			a.add(item)
		}
		if a.Status != c.status || a.Reason != c.reason {
			t.Errorf("%s: got %s (%s), want %s (%s)", c.name, a.Status, a.Reason, c.status, c.reason)
		}
	}
}
