package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callbridge/event"
	"callbridge/internal/testkit"
)

const repeatConfig = `
sources:
  website:
    verify:
      - {kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${SECRET}"]}
    key: [body:id]
    type: [body:type]
    time: [body:sent_at]
    fields:
      phone: {path: phone, type: phone, region: US}
      name: {path: name}
      consent: {path: consent, type: bool}
      attempt: {path: attempt, optional: true}
routes:
  - name: new-lead
    source: website
    mode: live
    purpose: service
    policy: {countries: [US]}
    when: consent
    call:
      call_to: phone
      agent_dynamic_variables: {name: "{{name}}"}
      metadata: {attempt: "{{attempt}}"}
`

// lead-1 of repeatConfig, as a CRM sends it first.
const first = `{"id":"lead-1","phone":"(202) 555-0142","name":"Ada","consent":true,"sent_at":"2026-11-28T09:00:00Z","attempt":1}`

func results(f *fixture) <-chan *nats.Msg {
	return testkit.Subscribe(f.t, f.bus.Conn(), "callbridge.result.>")
}

func (f *fixture) want(name string, got answer, status, reason, was string) {
	f.t.Helper()
	if got.status != http.StatusAccepted || len(got.Events) != 1 {
		f.t.Fatalf("%s: answered %d with %d events", name, got.status, len(got.Events))
	}
	if e := got.Events[0]; e.Status != status || e.Reason != reason || e.Was != was {
		f.t.Errorf("%s: %s (%s, was %s), want %s (%s, was %s)", name, e.Status, e.Reason, e.Was, status, reason, was)
	}
}

// The route leaves dry run between two deliveries of an event.
func TestSkippedEventStaysClosedAndTheAnswerSaysWhy(t *testing.T) {
	t.Parallel()
	for reason, mode := range map[string]string{"dry_run": "mode: dry_run", "not_allowed": `mode: allow_list, allow: ["+12025550100"]`} {
		b := openBus(t)
		mode = strings.ReplaceAll(mode, ", ", "\n    ")
		before := setupOn(t, b, strings.Replace(repeatConfig, "mode: live", mode, 1))
		before.want("skipped", before.website(first), "skipped", reason, "")
		live := setupOn(t, b, repeatConfig)
		live.want("after the route went live", live.website(first), "duplicate", "", reason)
		if n := live.stored("CALLBRIDGE_REQUESTS"); n != 0 {
			t.Errorf("%s: %d requests", reason, n)
		}
	}
}

// TestAnEventWhoseRequestWaitsIsADuplicate, also if no route wants it any more: its request
// has a result already, deferred, and is not done.
func TestAnEventWhoseRequestWaitsIsADuplicate(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	live := setupOn(t, b, repeatConfig)
	live.want("first", live.website(first), "requested", "", "")
	e := event.Event{ID: event.EventID("website", "lead-1"), Source: "website", Key: "lead-1"}
	deferred := event.Result{RequestID: event.RequestID(e.ID, "new-lead"), Outcome: event.Deferred, Reason: event.ReasonStopped, Event: e}
	if err := b.PublishDeferred(t.Context(), deferred); err != nil {
		t.Fatal(err)
	}
	live.want("again", live.website(first), "duplicate", "", "")
	dry := setupOn(t, b, strings.Replace(repeatConfig, "mode: live", "mode: dry_run", 1))
	dry.want("the route is in dry run by now", dry.website(first), "duplicate", "dry_run", "dry_run")
	if requests, results := live.stored("CALLBRIDGE_REQUESTS"), live.stored("CALLBRIDGE_RESULTS"); requests != 1 || results != 1 {
		t.Errorf("%d requests and %d results", requests, results)
	}
}

func TestMendedEventIsMappedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, reason string }{
		"bad phone":     {"(202) 555-0142", "555", "bad_phone"},
		"no phone":      {`"phone":"(202) 555-0142",`, "", "missing_field"},
		"no name":       {`"name":"Ada",`, "", "missing_field"},
		"bad consent":   {"true", `"perhaps"`, "bad_field"},
		"not permitted": {"(202) 555-0142", "+49 30 23125042", "bad_phone"},
	} {
		f := setupWith(t, repeatConfig)
		published := results(f)
		broken := strings.Replace(first, c.from, c.to, 1)
		f.want(name, f.website(broken), "rejected", c.reason, "")
		f.want(name+", again", f.website(broken), "duplicate", c.reason, c.reason)
		f.want(name+", mended", f.website(first), "requested", "", "")
		f.want(name+", mended, again", f.website(first), "duplicate", "", "")
		// What follows may be refused by Callab: its result has another subject.
		r := testkit.Receive[event.Result](t, published)
		id := event.RequestID(r.Event.ID, "new-lead")
		refused := event.Result{RequestID: id, Outcome: event.Rejected, Reason: event.ReasonRefused, Event: r.Event}
		if err := f.bus.PublishResult(t.Context(), refused); err != nil {
			t.Errorf("%s: the result of the call: %v", name, err)
		}
		testkit.Next(t, published)
		if len(published) != 0 || f.stored("CALLBRIDGE_REQUESTS") != 1 {
			t.Errorf("%s: %d more results, %d requests", name, len(published), f.stored("CALLBRIDGE_REQUESTS"))
		}
	}
}

// Two people whose numbers cannot be read are two results, also under one key.
func TestEachRejectedContentHasAResult(t *testing.T) {
	t.Parallel()
	f := setupWith(t, repeatConfig)
	published := results(f)
	for _, phone := range []string{"555", "556", "555"} {
		f.website(strings.Replace(first, "(202) 555-0142", phone, 1))
	}
	testkit.Next(t, published)
	testkit.Next(t, published)
	if err := f.bus.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if len(published) != 0 {
		t.Error("one content has two results")
	}
}

func TestBrokenAndMendedCopiesAtOnceMakeOneRequest(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	processes := []*fixture{setupOn(t, b, repeatConfig), setupOn(t, b, repeatConfig)}
	broken := strings.Replace(first, "(202) 555-0142", "555", 1)
	var all sync.WaitGroup
	var mu sync.Mutex
	count := map[string]int{}
	for i := range 60 {
		all.Go(func() {
			body := first
			if i%3 == 0 {
				body = broken
			}
			s := processes[i%2].website(body).statuses()
			mu.Lock()
			defer mu.Unlock()
			count[s]++
		})
	}
	all.Wait()
	if count["requested"] != 1 || count["rejected"] != 1 || count["duplicate"] != 58 {
		t.Errorf("answered %v", count)
	}
	if n := processes[0].stored("CALLBRIDGE_REQUESTS"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// The webhook of an event whose lookup has ended with a rejection is looked up again,
// once for all of its copies.
func TestRejectedLookupIsMadeAgain(t *testing.T) {
	t.Parallel()
	f := setupWith(t, lookupConfig)
	body := func(contact string) string {
		return `{"events":[{"id":"a","type":"created","contact":` + contact + `}]}`
	}
	f.want("first", f.batch(body("5")), "pending", "", "")
	f.want("again", f.batch(body("5")), "duplicate", "", "")
	f.rejectPending("a")
	var all sync.WaitGroup
	statuses := make([]string, 20)
	for i := range statuses {
		all.Go(func() { statuses[i] = f.batch(body("5")).statuses() })
	}
	all.Wait()
	if n := strings.Count(strings.Join(statuses, " "), "pending"); n != 1 {
		t.Errorf("after the rejection: %v, want pending once", statuses)
	}
	f.want("while it is looked up", f.batch(body("5")), "duplicate", "", "")
	f.rejectPending("a")
	f.want("mended", f.batch(body("6")), "pending", "", "")
	if n := f.stored("CALLBRIDGE_REQUESTS"); n != 3 {
		t.Errorf("%d pending events, want 3", n)
	}
}

// rejectPending ends the lookup of an event of the source batch, as lookup does.
func (f *fixture) rejectPending(key string) {
	f.t.Helper()
	stream, err := f.js.Stream(f.t.Context(), "CALLBRIDGE_REQUESTS")
	if err != nil {
		f.t.Fatal(err)
	}
	id := event.EventID("batch", key)
	msg, err := stream.GetLastMsgForSubject(f.t.Context(), "callbridge.lookup.batch."+id.String())
	if err != nil {
		f.t.Fatal(err)
	}
	var p event.Pending
	if err := json.Unmarshal(msg.Data, &p); err != nil {
		f.t.Fatal(err)
	}
	rejected := event.Result{
		RequestID: event.RejectionID(id, "", event.ReasonLookupFailed, "", p.Event.Received.Format(time.RFC3339Nano)),
		Outcome:   event.Rejected, Reason: event.ReasonLookupFailed, Event: p.Event,
	}
	if err := f.bus.StoreResumed(f.t.Context(), "", event.Item{Result: &rejected}); err != nil {
		f.t.Fatal(err)
	}
}

// One of two routes is new to the event: the answer is about that one.
func TestAnswerOfAnEventThatIsPartlyNewSaysNothingOfTheOther(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	config := strings.Replace(repeatConfig, "mode: live", "mode: dry_run", 1)
	before := setupOn(t, b, config)
	before.want("dry run", before.website(first), "skipped", "dry_run", "")
	added := setupOn(t, b, config+`  - {name: any, source: website, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone}}
`)
	added.want("with another route", added.website(first), "requested", "", "")
}
