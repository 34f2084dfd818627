package history_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/bustest"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/history"
)

const number = "+12025550142"

var names = history.Names{"crm": {"new-lead", "old-lead"}, "website": {"form"}}

// fixture is a bus with its own server, and its archive.
type fixture struct {
	t      *testing.T
	bus    *bus.Bus
	config bus.Config
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	config := bustest.Config(t)
	b := bustest.Open(t, config)
	config.Embedded.Listen = strings.TrimPrefix(b.ClientURL(), "nats://")
	return &fixture{t, b, config}
}

// read calls fn as a command of an operator does.
func (f *fixture) read(fn func(context.Context, history.Store) error) {
	f.t.Helper()
	err := bus.ReadArchive(f.t.Context(), f.config, "test", role.Operator, func(ctx context.Context, a archive.Archive) error { return fn(ctx, a) })
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) store(items ...event.Item) {
	f.t.Helper()
	if _, err := f.bus.Store(f.t.Context(), "", items...); err != nil {
		f.t.Fatal(err)
	}
}

func lead(source, key string) event.Event {
	return event.Event{
		ID: event.EventID(source, key), Source: source, Key: key, Type: "lead.created", Received: time.Now(),
		Data: json.RawMessage(`{"email":"` + key + `@example.com","score":72}`),
	}
}

func result(e event.Event, route string, outcome event.Outcome, reason event.Reason, detail string) event.Item {
	id := event.RequestID(e.ID, route)
	if outcome == event.Rejected {
		id = event.RejectionID(e.ID, route, reason, "", "")
	}
	return event.Item{Result: &event.Result{RequestID: id, Outcome: outcome, Reason: reason, Detail: detail, Route: route, Event: e, Time: e.Received}}
}

func request(e event.Event, route string) event.Item {
	return event.Item{Request: &event.Request{
		ID: event.RequestID(e.ID, route), Route: route, Call: json.RawMessage(`{"call_to":"` + number + `"}`), Event: e, Config: "0123456789ab",
	}}
}

// accept writes what dispatch writes about a request that Callab accepts at its second attempt.
func (f *fixture) accept(r *event.Request) {
	f.t.Helper()
	revision := uint64(0)
	for _, record := range []string{
		`{"state":"claimed","attempt":1}`, `{"state":"free","attempt":1,"wait_ms":1000,"detail":"HTTP 429"}`, `{"state":"claimed","attempt":2}`, `{"state":"accepted","attempt":2,"reason":"created"}`,
	} {
		var err error
		if revision, err = f.bus.Ledger().Put(f.t.Context(), r.ID, []byte(record), revision); err != nil {
			f.t.Fatal(err)
		}
	}
	f.store(event.Item{Result: &event.Result{
		RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Route: r.Route, Attempts: 2,
		Request: r.Call, Call: json.RawMessage(`{"id":"call-77"}`), Event: r.Event, Time: time.Now(),
	}})
}

func TestWhyTellsTheStoryOfAnEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := lead("crm", "ada")
	made := request(ada, "new-lead")
	f.store(made, result(ada, "old-lead", event.Skipped, event.ReasonDryRun, "the route is in dry_run: nobody was called"))
	f.accept(made.Request)
	f.read(func(ctx context.Context, s history.Store) error {
		found, err := history.Locate(ctx, s, names, "ada")
		if err != nil || len(found.Events) != 1 {
			t.Fatalf("found %+v, %v", found, err)
		}
		story, err := history.Why(ctx, s, names, found.Events[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range story.Requests {
			want := map[string]string{"new-lead": "Called: Callab has taken the call.", "old-lead": "Not called: the route is in dry_run: nobody was called."}[r.Route]
			if r.Sentence != want || r.Route == "new-lead" && r.To.Reveal() != number {
				t.Errorf("request %+v", r)
			}
		}
		var lines []string
		for i, step := range story.Steps {
			lines = append(lines, step.Kind+" "+step.Route+": "+step.Text)
			if i > 0 && step.At.Before(story.Steps[i-1].At) {
				t.Errorf("step %d is not in the order of time", i)
			}
		}
		text := strings.Join(lines, "\n")
		for _, want := range []string{
			"received : the webhook came in", "requested new-lead: a call was requested, by the configuration 0123456789ab", "closed old-lead", "claim new-lead: attempt 1 was claimed",
			"attempt 1 did not place the call, the next one follows after 1s: HTTP 429", "attempt 2 was claimed", "result new-lead: accepted (created)", "result old-lead: skipped (dry_run)",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the story lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, number[1:]) {
			t.Errorf("the story shows the number:\n%s", text)
		}
		return nil
	})
}

func TestWhyOfARequestThatIsOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bob := lead("crm", "bob")
	f.store(request(bob, "new-lead"))
	f.read(func(ctx context.Context, s history.Store) error {
		found, err := history.Locate(ctx, s, names, "bob")
		if err != nil || len(found.Events) != 1 {
			t.Fatalf("found %+v, %v", found, err)
		}
		story, err := history.Why(ctx, s, names, found.Events[0])
		if err != nil || len(story.Requests) != 1 || story.Requests[0].Sentence != "Not decided yet: the request waits to be dialled." {
			t.Errorf("%+v, %v", story, err)
		}
		return nil
	})
}

func TestLocateFindsAnEventByWhatPeopleHave(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada, eve, form := lead("crm", "ada"), lead("crm", "eve"), lead("website", "f-1")
	form.Data = json.RawMessage(`{"phone":"` + number + `"}`)
	made := request(ada, "new-lead")
	rejection := result(eve, "new-lead", event.Rejected, event.ReasonMissingField, "")
	f.store(made, rejection, result(form, "", event.Skipped, event.ReasonNoRoute, ""), event.Item{Pending: &event.Pending{Event: lead("crm", "lou")}})
	f.accept(made.Request)
	f.read(func(ctx context.Context, s history.Store) error {
		for text, want := range map[string]string{
			"ada": "crm/ada", ada.ID.String(): "crm/ada", made.Request.ID.String(): "crm/ada", "call-77": "crm/ada",
			"eve": "crm/eve", eve.ID.String(): "crm/eve", rejection.Result.RequestID.String(): "crm/eve",
			"f-1": "website/f-1", "lou": "crm/lou", number: "crm/ada website/f-1", "nobody": "", uuid.NewString(): "", "+12025550999": "",
		} {
			found, err := history.Locate(ctx, s, names, text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			var got []string
			for _, e := range found.Events {
				got = append(got, e.Source+"/"+e.Key)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s found %s, want %s", text, got, want)
			}
		}
		return nil
	})
}

func TestFindSelectsAndCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 30 {
		reason, route := event.ReasonDryRun, "new-lead"
		if i%3 == 0 {
			reason, route = event.ReasonNoConsent, "old-lead"
		}
		f.store(result(lead("crm", fmt.Sprint("lead-", i)), route, event.Skipped, reason, ""))
	}
	f.store(result(lead("website", "f-1"), "", event.Rejected, event.ReasonBadEvent, ""))
	where, err := history.CompileWhere(`data.email == "lead-7@example.com" && result.outcome == "skipped"`)
	if err != nil {
		t.Fatal(err)
	}
	f.read(func(ctx context.Context, s history.Store) error {
		for name, c := range map[string]struct {
			q           history.Query
			rows, count int
			more        bool
		}{
			"all":     {history.Query{}, 31, 0, false},
			"reason":  {history.Query{Reason: "no_consent"}, 10, 0, false},
			"route":   {history.Query{Route: "new-lead", Outcome: "skipped", Source: "crm"}, 20, 0, false},
			"where":   {history.Query{Where: where}, 1, 0, false},
			"counted": {history.Query{CountBy: "reason"}, 0, 3, false},
			"limit":   {history.Query{Limit: 5}, 5, 0, true},
			"since":   {history.Query{Since: time.Now().Add(time.Hour)}, 0, 0, false},
		} {
			found, err := history.Find(ctx, s, c.q)
			if err != nil || len(found.Rows) != c.rows || len(found.Counts) != c.count || found.Next > 0 != c.more {
				t.Errorf("%s: %d rows, %v, next %d, %v", name, len(found.Rows), found.Counts, found.Next, err)
			}
			if c.count > 0 && found.Counts[0] != (history.Count{Value: "dry_run", Count: 20}) {
				t.Errorf("%s: counts %v", name, found.Counts)
			}
		}
		seen := map[string]bool{}
		for q := (history.Query{Limit: 7}); ; {
			page, err := history.Find(ctx, s, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range page.Rows {
				if seen[row.Result.Event.Key] {
					t.Errorf("%s is on two pages", row.Result.Event.Key)
				}
				seen[row.Result.Event.Key] = true
			}
			if q.Before = page.Next; q.Before == 0 {
				break
			}
		}
		if len(seen) != 31 {
			t.Errorf("the pages have %d results", len(seen))
		}
		return nil
	})
}

func TestWhereIsCheckedBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`data.`, `nobody == 1`, `1 + 1`, `"text"`} {
		if _, err := history.CompileWhere(text); err == nil || !strings.Contains(err.Error(), "data.email") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if w, err := history.CompileWhere(""); w != nil || err != nil {
		t.Errorf("no condition: %v, %v", w, err)
	}
}

func TestTasksAreWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	rejected := func(key string, reason event.Reason) event.Item {
		return result(lead("crm", key), "new-lead", event.Rejected, reason, "")
	}
	parked := result(lead("crm", "parked"), "new-lead", event.Unknown, event.ReasonNotFound, "")
	resolved := result(lead("crm", "resolved"), "new-lead", event.Failed, event.ReasonNotSent, "")
	f.store(rejected("open", event.ReasonMissingField), parked, resolved, rejected("mended", event.ReasonBadField),
		result(lead("crm", "nowhere"), "new-lead", event.Skipped, "no_zone", ""), result(lead("crm", "fine"), "new-lead", event.Skipped, event.ReasonDryRun, ""),
		rejected("wrong number", event.ReasonBadNumber))
	f.store(request(lead("crm", "mended"), "new-lead"))
	f.read(func(ctx context.Context, s history.Store) error {
		keys := func(limit int) (keys []string, more bool) {
			tasks, more, err := history.Tasks(ctx, s, archive.Range{}, func(id uuid.UUID) bool { return id == resolved.Result.RequestID }, limit)
			if err != nil {
				t.Fatal(err)
			}
			for i, task := range tasks {
				if task.Advice == "" || i > 0 && task.Stored.Before(tasks[i-1].Stored) {
					t.Errorf("task %+v", task)
				}
				keys = append(keys, task.Result.Event.Key)
			}
			return keys, more
		}
		if got, more := keys(10); strings.Join(got, " ") != "open parked nowhere" || more {
			t.Errorf("tasks %q, more %t", got, more)
		}
		if got, more := keys(2); len(got) != 2 || !more {
			t.Errorf("tasks %q, more %t", got, more)
		}
		return nil
	})
}

// TestEveryReasonHasASentence compares with the reasons that package event declares.
func TestEveryReasonHasASentence(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../event/outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`Reason = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 30 {
		t.Fatalf("%d reasons are declared", len(reasons))
	}
	for _, reason := range reasons {
		if got := history.Sentence(event.Result{Outcome: event.Skipped, Reason: event.Reason(reason[1])}); got == "Not called: "+reason[1]+"." {
			t.Errorf("%s: %s", reason[1], got)
		}
	}
	opening := time.Date(2026, 11, 30, 14, 0, 0, 0, time.UTC)
	waits := event.Result{Outcome: event.Deferred, Reason: event.ReasonOutsideHours, Until: opening, Detail: "closed in America/Winnipeg at Sat 20:00 (-05:00), by us-federal"}
	if got, want := history.Sentence(waits), "Waits until 2026-11-30 14:00 UTC: the person may not be called at this hour. (closed in America/Winnipeg at Sat 20:00 (-05:00), by us-federal)"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
