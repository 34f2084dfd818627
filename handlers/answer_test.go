package handlers

import (
	"encoding/json"
	"testing"
	"time"

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
		{"a call that waits", answer{Events: []eventAnswer{{ID: first, Status: deferred, Requests: []uuid.UUID{second}, Until: time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC), Reason: event.ReasonHoliday}}},
			`{"events":[{"id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","status":"deferred","requests":["6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c12"],"until":"2026-11-30T13:00:00Z","reason":"holiday"}]}`},
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
	waits := func(hours int) event.Item {
		until := time.Date(2026, 11, 30, hours, 0, 0, 0, time.FixedZone("", 3600))
		return event.Item{Request: &event.Request{ID: uuid.New()}, Verdict: event.Verdict{Action: "wait", Gate: event.ReasonOutsideHours, Until: until}}
	}
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
		{"deferred", []event.Item{waits(2), waits(1), reject, skip}, deferred, event.ReasonOutsideHours},
		{"requested and deferred", []event.Item{waits(2), request, waits(1)}, requested, ""},
	} {
		var a eventAnswer
		for _, item := range c.items {
			a.add(item)
		}
		if want := "2026-11-30T00:00:00Z"; a.Status == deferred && a.Until.Format(time.RFC3339) != want || a.Status != deferred && !a.Until.IsZero() {
			t.Errorf("%s: until %s", c.name, a.Until)
		}
		if a.Status != c.status || a.Reason != c.reason {
			t.Errorf("%s: got %s (%s), want %s (%s)", c.name, a.Status, a.Reason, c.status, c.reason)
		}
	}
}
