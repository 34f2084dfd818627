package main

import (
	"testing"

	"github.com/google/uuid"

	"callbridge/event"
)

// TestRequestsOfOtherServicesAreJudged: whatever another service publishes, only
// what callbridge.yaml permits is dialled.
func TestRequestsOfOtherServicesAreJudged(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	const agent = `"ai_agent_id":"6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11","call_from":"+12025550100"`
	for _, c := range []struct {
		route, to, more string
		want            event.Reason
	}{
		{"", "+19005550142", "", event.ReasonBadNumber},
		{"", "+442079460123", "", event.ReasonCreated},
		{"", "+4930901820", "", event.ReasonBadNumber},
		{"new-lead", "+12025550142", `"consent":"yes",`, event.ReasonCreated},
		{"new-lead", "+12025550143", `"consent":"no",`, event.ReasonNoConsent},
		{"new-lead", "+12025550143", "", event.ReasonNoConsent},
		{"no-such-route", "+12025550142", "", event.ReasonRouteOff},
		{"hubspot-contact", "+12025550142", "", event.ReasonRouteOff},
	} {
		before := len(b.sim.Placed())
		id := uuid.New()
		body := `{"route":"` + c.route + `",` + c.more + `"call":{` + agent + `,"call_to":"` + c.to + `"}}`
		if err := b.process.bus.Conn().Publish("callbridge.request.website."+id.String()+".ready", []byte(body)); err != nil {
			t.Fatal(err)
		}
		got := b.result()
		if got.RequestID != id || got.Reason != c.want {
			t.Errorf("route %q, %s: ended %s (%s: %s), want %s", c.route, event.Phone(c.to), got.Outcome, got.Reason, got.Detail, c.want)
		}
		if refused := c.want != event.ReasonCreated; c.want != event.ReasonNoConsent && refused != (got.Config == b.process.config.current().Hash()) || !refused && got.Config != "" {
			t.Errorf("route %q, %s: decided by the configuration %q", c.route, event.Phone(c.to), got.Config)
		}
		if placed := len(b.sim.Placed()) - before; (placed == 1) != (c.want == event.ReasonCreated) {
			t.Errorf("route %q, %s: %d calls placed", c.route, event.Phone(c.to), placed)
		}
	}
}
