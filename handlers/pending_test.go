package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/event"
)

const thin = `
sources:
  batch:
    verify: {kind: token, header: X-Token, values: ["${SECRET}"]}
    split: events[*]
    key: body:id
    type: body:type
    lookup: {url: "https://crm.example.com/contacts/{{contact}}", auth: {kind: bearer, token: "${SECRET}"}}
    fields:
      contact: {path: contact}
      tenant: {path: "header:X-Tenant", optional: true}
      phone: {path: [phone, "lookup:phone"], type: phone}
routes:
  - {name: all, source: batch, mode: live, when: type == "created", call: {call_to: phone, notes: "{{tenant|-}}"}}
`

func TestEventThatNeedsALookupWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, thin)
	const body = `{"events":[{"id":"a","type":"created","contact":5},{"id":"b","type":"deleted","contact":5},{"id":"c","type":"created","contact":6,"phone":"+12025550142"}]}`
	for _, want := range []string{"pending skipped requested", "duplicate duplicate duplicate"} {
		if got := w.batch(body); got.status != 202 || got.statuses() != want {
			t.Errorf("answered %d %s, want %s", got.status, got.statuses(), want)
		}
	}
	stream, err := w.js.Stream(t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	id := event.EventID("batch", "a")
	msg, err := stream.GetLastMsgForSubject(t.Context(), "callbridge.lookup.batch."+id.String())
	if err != nil {
		t.Fatal(err)
	}
	var p event.Pending
	if err := json.Unmarshal(msg.Data, &p); err != nil {
		t.Fatal(err)
	}
	if p.Event.ID != id || p.Event.Type != "created" || p.Event.Received.IsZero() || strings.Contains(string(msg.Data), secret) {
		t.Errorf("waiting: %s", msg.Data)
	}
	if n := w.stored("CALLBRIDGE_REQUESTS"); n != 2 {
		t.Errorf("%d messages wait, want an event and a request", n)
	}
	if !strings.Contains(w.logs.next(t), `"pending":1`) {
		t.Errorf("the log does not tell of it:\n%s", w.logs)
	}
}
