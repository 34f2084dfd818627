package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestAnotherEventUnderAKnownKeyIsRejectedAndVisible(t *testing.T) {
	t.Parallel()
	f := setupWith(t, repeatConfig)
	published := results(f)
	f.want("first", f.website(first), "requested", "", "")
	for _, c := range []struct{ name, from, to, status, reason string }{
		{"sent again", "", "", "duplicate", ""},
		{"the CRM counts its attempts", `"attempt":1`, `"attempt":2`, "duplicate", ""},
		{"the CRM sends a new time", "09:00:00", "09:05:00", "duplicate", ""},
		{"the number in another form", "(202) 555-0142", "+1 202 555 0142", "duplicate", ""},
		{"a member that nothing uses", `"attempt":1`, `"attempt":1,"tags":["x"]`, "duplicate", ""},
		{"another person", "(202) 555-0142", "(202) 555-0177", "rejected", "key_reused"},
		{"other words", "Ada", "Grace", "rejected", "key_reused"},
	} {
		body := strings.Replace(first, c.from, c.to, 1)
		f.want(c.name, f.website(body), c.status, c.reason, "")
		f.want(c.name+", once more", f.website(body), c.status, c.reason, "")
	}
	if err := f.bus.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for len(published) > 0 {
		r := testkit.Receive[event.Result](t, published)
		if r.Outcome != event.Rejected || r.Reason != event.ReasonKeyReused || r.Event.ID != event.EventID("website", "lead-1") || r.Field != "key" {
			t.Errorf("published %+v", r)
		}
		if text, _ := json.Marshal(r.Detail); strings.Contains(string(text), "555") {
			t.Errorf("the detail shows a number: %s", text)
		}
		ids = append(ids, r.RequestID.String())
	}
	if len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("results of key_reused: %v, want one for each content", ids)
	}
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests, want the first", n)
	}
}

func TestTwoPeopleUnderOneKeyInOneDelivery(t *testing.T) {
	t.Parallel()
	f := setup(t)
	got := f.batch(`{"events":[{"id":"1","phone":"+12025550142"},{"id":"1","phone":"+12025550177"},{"id":"1","phone":"+12025550142"}]}`)
	if got.statuses() != "requested rejected duplicate" || got.Events[1].Reason != "key_reused" {
		t.Errorf("answered %s (%s)", got.statuses(), got.Events[1].Reason)
	}
}

func TestAnotherPersonUnderTheKeyOfASkippedEventIsVisible(t *testing.T) {
	t.Parallel()
	f := setupWith(t, strings.Replace(repeatConfig, "mode: live", "mode: dry_run", 1))
	f.want("first", f.website(first), "skipped", "dry_run", "")
	f.want("again", f.website(first), "duplicate", "dry_run", "dry_run")
	f.want("another person", f.website(strings.Replace(first, "0142", "0177", 1)), "rejected", "key_reused", "")
	live := setupOn(t, f.bus, repeatConfig)
	live.want("another person, when the route is live", live.website(strings.Replace(first, "0142", "0177", 1)), "rejected", "key_reused", "")
}

// A changed configuration changes the call of an event, not the event.
func TestRepeatIsOneUnderAChangedConfiguration(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	old := setupOn(t, b, repeatConfig)
	old.want("first", old.website(first), "requested", "", "")
	changed := setupOn(t, b, strings.Replace(repeatConfig, `name: "{{name}}"`, `name: "{{name}} of {{source}}", new: "1"`, 1))
	changed.want("again", changed.website(first), "duplicate", "", "")
}

func TestAnotherRecordUnderTheKeyOfAPendingEventIsVisible(t *testing.T) {
	t.Parallel()
	f := setupWith(t, lookupConfig)
	f.want("first", f.batch(`{"events":[{"id":"a","type":"created","contact":5}]}`), "pending", "", "")
	f.want("again", f.batch(`{"events":[{"id":"a","type":"created","contact":"5"}]}`), "duplicate", "", "")
	f.want("another contact", f.batch(`{"events":[{"id":"a","type":"created","contact":6}]}`), "rejected", "key_reused", "")
}
