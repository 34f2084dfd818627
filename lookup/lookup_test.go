package lookup_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/internal/testkit"
	"callbridge/mapping"
)

func TestEventIsMappedWithTheResponse(t *testing.T) {
	t.Parallel()
	c := newCRM(t, ada)
	f := setup(t, c, `auth: {kind: bearer, token: "${SECRET}"}`)
	if !f.send("crm", `{"id":"e1","object":5}`) {
		t.Error("the first event is not new")
	}
	f.want("requested", "Ada")
	if f.send("crm", `{"id":"e1","object":5}`) {
		t.Error("the same event is new again")
	}
	f.send("crm", `{"id":"e2","object":6}`)
	f.want("requested", "Ada")
	f.nothingMore()
	if n := c.requestsFor("/contacts/5"); n != 1 {
		t.Errorf("%d requests about one event, want 1", n)
	}
}

func TestXMLResponsesAreMapped(t *testing.T) {
	t.Parallel()
	c := newCRM(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = fmt.Fprint(w, `<contact><phone>+12025550142</phone></contact>`)
	})
	text := "sources:" + fmt.Sprintf(source, "crm", c.URL, "") + fmt.Sprintf(routes, "crm")
	f := setupWith(t, t.TempDir(), strings.Replace(text, "lookup:phone", "lookup:contact.phone", 1))
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("requested", "nobody")
}

func TestResponsesThatRejectTheEvent(t *testing.T) {
	t.Parallel()
	large := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		what   string
		detail string
	}{
		{"404", status(404), "rejected lookup_not_found", "HTTP 404"},
		{"410", status(410), "rejected lookup_not_found", "HTTP 410"},
		{"400", status(400), "rejected lookup_failed", "HTTP 400"},
		{"422", status(422), "rejected lookup_failed", "HTTP 422"},
		{"304", status(304), "rejected lookup_failed", "HTTP 304"},
		{"too large", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, large) }, "rejected lookup_failed", "larger than 1048576 bytes"},
		{"another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/contacts/5", http.StatusFound)
		}, "rejected lookup_failed", `redirects to "127.0.0.1:1", which is not one of the source's hosts`},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
			"rejected lookup_failed", "redirects too often"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			crm := newCRM(t, c.answer)
			f := setup(t, crm, "")
			f.send("crm", `{"id":"e1","object":5}`)
			f.want(c.what, c.detail)
			f.nothingMore()
			if n := len(crm.requests()); n != 1 && c.name != "redirect loop" {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// The record of a new event may not be there for some seconds.
func TestRecordThatIsNotThereYetIsAskedForAgain(t *testing.T) {
	t.Parallel()
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, text) }
	}
	for _, c := range []struct {
		name, keys     string
		empty          http.HandlerFunc
		reason, detail string
	}{
		{"empty list of a search", "record: results[0]", answer(`{"results":[]}`), "lookup_not_found", "has found no record; tried for 1s"},
		{"empty answer", "", answer(`[]`), "lookup_not_found", "has found no record"},
		{"null", "", answer(`null`), "lookup_not_found", "has found no record"},
		{"204", "", status(204), "lookup_not_found", "HTTP 204"},
		{"empty body", "", status(200), "lookup_not_found", "HTTP 200"},
		{"a required field is missing", "", answer(`{"name":"Ada"}`), "missing_field", "nothing at lookup:phone"},
		{"of events that share an answer", "coalesce: 100ms", answer(`{"name":"Ada"}`), "missing_field", "nothing at lookup:phone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			late := newCRM(t, inTurn(c.empty, answer(`{"results":[{"id":1}],"phone":"+12025550142","name":"Ada"}`)))
			f := setup(t, late, c.keys)
			f.send("crm", `{"id":"e1","object":5}`)
			f.want("requested", "Ada")
			f.nothingMore()
			if n := len(late.requests()); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
			never := newCRM(t, c.empty)
			f = setup(t, never, c.keys+"\n      timeout: 1s")
			f.send("crm", `{"id":"e1","object":5}`)
			f.want("rejected "+c.reason, c.detail)
			f.nothingMore()
			if n := len(never.requests()); n != 2 {
				t.Errorf("%d requests in 1 s, want 2", n)
			}
			if err := f.service.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
		})
	}
}

// A field that a rule can do without is not waited for.
func TestOptionalFieldIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"phone":"+12025550142"}`) })
	f := setup(t, crm, "")
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("requested", "nobody")
	f.nothingMore()
	if n := len(crm.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestAnswersThatMeanRefusedCredentials(t *testing.T) {
	t.Parallel()
	expired := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":{"code":190}}`)
	}
	crm := newCRM(t, expired)
	f := setup(t, crm, "answers: {path: error.code, values: [190], means: credentials}\n      timeout: 1s")
	f.send("crm", `{"id":"e1","object":5}`)
	testkit.Eventually(t, "the source is held", func() bool { return len(f.service.Held()) > 0 })
	testkit.Eventually(t, "the credentials are tried again", func() bool { return len(crm.requests()) > 2 })
	crm.change(ada)
	f.want("requested", "Ada")
	f.nothingMore()
	if held := f.service.Held(); len(held) > 0 {
		t.Errorf("held: %v", held)
	}
}

func TestResponsesThatAreRetried(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"500", status(500)}, {"503", status(503)}, {"408", status(408)}, {"425", status(425)},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		}},
		{"connection reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"HTML of a proxy", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, "<html>one moment please")
		}},
		{"truncated JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"phone":`) }},
		{"a rate limit with HTTP 400", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = fmt.Fprint(w, `{"error":{"code":4}}`)
		}},
		{"an error with HTTP 200", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"errors":[{"message":"complexity"}],"phone":"+12025550143"}`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			crm := newCRM(t, inTurn(c.answer, ada))
			f := setup(t, crm, "error_path: errors\n      answers: {status: 400, path: error.code, values: [4, 17], means: wait}")
			f.send("crm", `{"id":"e1","object":5}`)
			f.want("requested", "Ada")
			f.nothingMore()
			if n := len(crm.requests()); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
		})
	}
}

func TestEventIsRejectedAfterTheTimeout(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, status(502))
	f := setup(t, crm, "timeout: 2s")
	f.send("crm", `{"id":"e1","object":5}`)
	f.want("rejected lookup_failed", "HTTP 502; tried for 2s")
	f.nothingMore()
	if n := len(crm.requests()); n < 2 || n > 5 {
		t.Errorf("%d requests in 2 s, want 2 to 5", n)
	}
}

func TestEventsOfOneRecordShareALookup(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, ada)
	f := setup(t, crm, "coalesce: 1s")
	for i := range 5 {
		f.send("crm", fmt.Sprintf(`{"id":"e%d","object":5}`, i))
	}
	for range 5 {
		f.want("requested", "Ada")
	}
	if n := crm.requestsFor("/contacts/5"); n != 1 {
		t.Errorf("%d requests about five events, want 1", n)
	}
	// The response may lack changes after it: a later event is looked up again.
	f.send("crm", `{"id":"later","object":5}`)
	f.want("requested", "Ada")
	f.nothingMore()
	if n := crm.requestsFor("/contacts/5"); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestInvalidResponseIsNotShared(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, inTurn(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"phone":`) }, ada))
	f := setup(t, crm, "coalesce: 200ms")
	f.send("crm", `{"id":"e1","object":5}`)
	f.send("crm", `{"id":"e2","object":5}`)
	f.want("requested", "Ada")
	f.want("requested", "Ada")
	f.nothingMore()
	if n := crm.requestsFor("/contacts/5"); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestEventOlderThanALookedUpOneIsSkipped(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, ada)
	f := setup(t, crm, "")
	for _, c := range []struct{ body, want string }{
		{`{"id":"new","object":5,"type":"changed","version":10}`, "requested"},
		{`{"id":"old","object":5,"type":"changed","version":9}`, "skipped superseded"},
		{`{"id":"same","object":5,"type":"changed","version":10}`, "requested"},
		{`{"id":"other","object":6,"type":"changed","version":1}`, "requested"},
		{`{"id":"kind","object":5,"type":"created","version":1}`, "requested"},
	} {
		f.send("crm", c.body)
		f.want(c.want, "")
	}
	f.nothingMore()
	if n := crm.requestsFor("/contacts/5"); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestNoEventIsLostByAStop(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 8)
	crm := newCRM(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	text := "sources:" + fmt.Sprintf(source, "crm", crm.URL, "") + fmt.Sprintf(routes, "crm")
	first := setupWith(t, t.TempDir(), text)
	for i := range 6 { // more than workers
		first.send("crm", fmt.Sprintf(`{"id":"e%d","object":%d}`, i, i))
	}
	<-arrived
	first.nothingMore()

	crm.change(ada)
	second := setupWith(t, first.dir, text)
	outcomes := map[string]int{}
	for range 6 {
		outcomes[second.next().key]++
	}
	second.nothingMore()
	if len(outcomes) != 6 {
		t.Errorf("after the restart %v, want each of six once", outcomes)
	}
}

// received is when the webhook of an event came in.
var received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestRedeliveredEventKeepsItsOutcome(t *testing.T) {
	t.Parallel()
	text := "sources:" + fmt.Sprintf(source, "crm", newCRM(t, ada).URL, "") + fmt.Sprintf(routes, "crm")
	e := event.Event{ID: event.EventID("crm", "e1"), Source: "crm", Key: "e1", Received: received}
	whole, route := event.RequestID(e.ID, ""), event.RequestID(e.ID, "call")
	for name, ended := range map[string]event.Result{
		"rejected as a whole":    *mapping.Incoming{Event: e}.Rejected(event.ReasonLookupFailed, "HTTP 502").Result,
		"skipped as a whole":     {RequestID: whole, Outcome: event.Skipped, Reason: event.ReasonSuperseded, Event: e},
		"skipped by its route":   {RequestID: route, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: "call", Event: e},
		"the result of its call": {RequestID: route, Outcome: event.Rejected, Reason: event.ReasonRefused, Route: "call", Event: e},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupWith(t, t.TempDir(), text)
			if err := f.bus.StoreResumed(t.Context(), "", event.Item{Result: &ended}); err != nil {
				t.Fatal(err)
			}
			f.want(string(ended.Outcome)+" "+string(ended.Reason), "")
			f.sendAt("crm", `{"id":"e1","object":5}`, received)
			f.send("crm", `{"id":"e2","object":6}`)
			if got := f.next(); got.key != "e2" {
				t.Errorf("%s has a second outcome: %s", got.key, got.what)
			}
			testkit.Eventually(t, "both events are looked up", func() bool { return strings.Count(f.log.String(), "event.looked_up") == 2 })
			f.nothingMore()
		})
	}
}

// What an earlier webhook about the event led to does not hold back a later one that is
// looked up.
func TestLaterWebhookIsLookedUpAfterARejection(t *testing.T) {
	t.Parallel()
	text := "sources:" + fmt.Sprintf(source, "crm", newCRM(t, ada).URL, "") + fmt.Sprintf(routes, "crm")
	e := event.Event{ID: event.EventID("crm", "e1"), Source: "crm", Key: "e1", Received: received}
	for name, ended := range map[string]event.Item{
		"rejected": mapping.Incoming{Event: e}.Rejected(event.ReasonLookupFailed, "HTTP 502"),
		"no route": mapping.Incoming{Event: e}.Skipped(event.ReasonNoRoute, "no route wants this event"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupWith(t, t.TempDir(), text)
			if err := f.bus.StoreResumed(t.Context(), "", ended); err != nil {
				t.Fatal(err)
			}
			f.next()
			f.send("crm", `{"id":"e1","object":5}`)
			f.want("requested", "Ada")
			f.nothingMore()
		})
	}
}

// The limits are 8 MiB for a message of the embedded NATS and 1 MiB for a response.
func TestEventTooLargeTogetherWithItsCallIsRejected(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("x", 900<<10) // of which the notes have 2,000 characters
	f := setup(t, newCRM(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"phone":"+12025550142","name":%q}`, name)
	}), "")
	f.send("crm", `{"id":"e1","object":5,"more":"`+strings.Repeat("x", 8<<20-(4096)-1200)+`"}`)
	f.want("rejected bad_call", "larger than the limit of NATS")
	f.nothingMore()
}

func TestMessagesOfOtherProgramsAreMappedOrRejected(t *testing.T) {
	t.Parallel()
	f := setup(t, newCRM(t, ada), "")
	for subject, c := range map[string]struct{ data, what string }{
		"callbridge.lookup.crm.not-an-id":                               {"no JSON", "rejected bad_event"},
		"callbridge.lookup.nobody.6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11": {`{"event":{"key":"k","data":{"object":5}}}`, "rejected bad_event"},
		"callbridge.lookup.crm.6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c12":    {`{"event":{"key":"k","data":{"object":5}}}`, "requested"},
		"callbridge.lookup.crm.6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c13":    {`{"event":{"key":"k","data":{}}}`, "rejected missing_field"},
		"callbridge.lookup.crm.6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c14":    {`{"event":{"key":"k"},"delivery":[]}`, "rejected missing_field"},
	} {
		if err := f.bus.Conn().Publish(subject, []byte(c.data)); err != nil {
			t.Fatal(err)
		}
		f.want(c.what, "")
	}
	f.nothingMore()
}

// The type and the id of a webhook are text of its sender.
func TestLogOfALookupCleansTheType(t *testing.T) {
	t.Parallel()
	f := setup(t, newCRM(t, ada), "")
	kind := `+12025550142 Ada\nlevel=INFO msg=call.attempted\u001b[2K\u202e` + strings.Repeat("x", 200_000)
	f.send("crm", `{"id":"e1","object":5,"type":"`+kind+`"}`)
	f.want("requested", "Ada")
	testkit.Eventually(t, "the lookup is logged", func() bool { return strings.Contains(f.log.String(), "event.looked_up") })
	const want = `"type":"+12•••••••42 Ada level=INFO msg=call.attempted [2Kxxxxxxxxxxxxx…"`
	if log := f.log.String(); !strings.Contains(log, want) || len(log) > 2000 {
		t.Errorf("%d bytes: %.1000s", len(log), log)
	}
}

func TestWhatALookupLeadsToNamesTheConfiguration(t *testing.T) {
	t.Parallel()
	crm := newCRM(t, inTurn(ada, status(http.StatusNotFound)))
	f := setup(t, crm, "")
	for i, want := range []string{".request.", ".result.rejected."} {
		f.send("crm", fmt.Sprintf(`{"id":"e%d","object":5}`, i))
		if m := testkit.Next(t, f.stored); !strings.Contains(m.Subject, want) || !strings.Contains(string(m.Data), `"config":"`+f.config.Hash()+`"`) {
			t.Errorf("%s: %s", m.Subject, m.Data)
		}
	}
}
