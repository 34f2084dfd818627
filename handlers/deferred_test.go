package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// deferring is a configuration whose hours are on one day of the week.
const deferring = `sources:
  website:
    preset: generic
    verify: {kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${SECRET}"]}
routes:
  - name: call
    source: website
    mode: live
    purpose: service
    policy: {countries: [US], hours: {%s: ["00:00-24:00"]}, holidays: {observe: false}%s}
    call: {call_to: phone}
`

// TestCallThatWaitsIsDeferred: its request is stored, and the answer says until when it
// waits. A repeat is a duplicate.
func TestCallThatWaitsIsDeferred(t *testing.T) {
	t.Parallel()
	day := time.Now().AddDate(0, 0, 3)
	f := setupWith(t, fmt.Sprintf(deferring, strings.ToLower(day.Weekday().String()[:3]), ""))
	const body = `{"event_id":"e1","phone":"+12125550142"}`
	got := f.website(body)
	if got.statuses() != "deferred" || got.Events[0].Reason != "outside_hours" || len(got.Events[0].Requests) != 1 {
		t.Fatalf("answered %+v", got.Events)
	}
	until, err := time.Parse(time.RFC3339, got.Events[0].Until)
	if wait := time.Until(until); err != nil || wait < 24*time.Hour || wait > 7*24*time.Hour {
		t.Errorf("until %s, %v", got.Events[0].Until, err)
	}
	checkLine(t, "deferred", f.lastLine(), map[string]any{"deferred": 1.0, "reason": "outside_hours", "until": got.Events[0].Until})
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests stored", n)
	}
	if got = f.website(body); got.statuses() != "duplicate" || got.Events[0].Until != "" || got.Events[0].Reason != "" {
		t.Errorf("a repeat: %+v", got.Events)
	}
}

// TestCallThatCannotBeMadeInTimeIsSkipped: the event expires before the next opening.
func TestCallThatCannotBeMadeInTimeIsSkipped(t *testing.T) {
	t.Parallel()
	day := time.Now().AddDate(0, 0, 3)
	f := setupWith(t, fmt.Sprintf(deferring, strings.ToLower(day.Weekday().String()[:3]), ", expire: 1h"))
	got := f.website(`{"event_id":"e1","phone":"+12125550142"}`)
	if got.statuses() != "skipped" || got.Events[0].Reason != "outside_hours" || got.Events[0].Requests != nil {
		t.Errorf("answered %+v", got.Events)
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 0 {
		t.Errorf("%d requests stored", n)
	}
}
