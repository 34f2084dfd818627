package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/bustest"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/history"
)

// TestMakeReadsWhatWasDecided stores what an earlier configuration has decided about some
// leads, and plans a replay with one that calls all of them.
func TestMakeReadsWhatWasDecided(t *testing.T) {
	t.Parallel()
	c := load(t, live)
	config := bustest.Config(t)
	b := bustest.Open(t, config)
	config.Embedded.Listen = strings.TrimPrefix(b.ClientURL(), "nats://")
	store := func(item event.Item) {
		t.Helper()
		if _, err := b.Store(t.Context(), "", item); err != nil {
			t.Fatal(err)
		}
	}
	record := func(r event.Request, state string) {
		t.Helper()
		if _, err := b.Ledger().Put(t.Context(), r.ID, []byte(`{"state":"`+state+`","attempt":1}`), 0); err != nil {
			t.Fatal(err)
		}
	}
	for n, kind := range []string{"no_route", "dry_run", "rejected", "accepted", "accepted without its record", "parked", "failed", "claimed", "waits"} {
		key := fmt.Sprint("lead-", n)
		e := event.Event{
			ID: event.EventID("crm", key), Source: "crm", Key: key, Received: time.Now(),
			Data: json.RawMessage(`{"id":"` + key + `","phone":"+1202555014` + fmt.Sprint(n) + `","score":72}`),
		}
		r := requested(t, c, e)
		result := event.Result{RequestID: r.ID, Outcome: event.Skipped, Reason: event.ReasonDryRun, Route: "lead", Event: e, Time: e.Received}
		switch kind {
		case "no_route":
			result.RequestID, result.Route, result.Reason = event.RequestID(e.ID, ""), "", event.ReasonNoRoute
		case "rejected":
			result.RequestID = event.RejectionID(e.ID, "lead", event.ReasonMissingField, "", "")
			result.Outcome, result.Reason = event.Rejected, event.ReasonMissingField
		case "accepted", "accepted without its record", "failed", "claimed", "waits":
			store(event.Item{Request: &r})
			result.Outcome, result.Reason = event.Accepted, event.ReasonCreated
			switch kind {
			case "accepted":
				record(r, "accepted")
			case "failed":
				record(r, "failed")
				result.Outcome, result.Reason = event.Failed, event.ReasonNotSent
			case "claimed", "waits":
				// Another route has the result by which the event is found.
				result = event.Result{RequestID: event.RequestID(e.ID, ""), Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: e, Time: e.Received}
				if kind == "claimed" {
					record(r, "claimed")
				}
			}
		case "parked":
			store(event.Item{Request: &r})
			record(r, "parked")
			result.Outcome, result.Reason = event.Unknown, event.ReasonNotFound
		}
		store(event.Item{Result: &result})
	}
	var plan Plan
	err := bus.ReadArchive(t.Context(), config, "test", role.Operator, func(ctx context.Context, a archive.Archive) (err error) {
		plan, err = Make(ctx, a, c, history.Names{"crm": {"lead"}}, history.Query{}, time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Verdict]int{WouldCall: 4, AlreadyCalled: 4, Same: 1}
	if got := plan.Counts(); !maps.Equal(got, want) || plan.People() != 4 || plan.Read != 9 || plan.Partly {
		t.Errorf("counts %v, want %v; %+v", got, want, plan)
	}
	text, err := json.Marshal(plan)
	if err != nil || strings.Contains(string(text), "2025550") {
		t.Errorf("the plan shows a number: %s, %v", text, err)
	}
	for i, item := range plan.Items {
		if i > 0 && item.Verdict == WouldCall && plan.Items[i-1].Verdict != WouldCall {
			t.Error("the people who would be called are not first")
		}
		if item.Verdict == AlreadyCalled && item.Old.Outcome == event.Accepted && item.Old.Request.String() == "" {
			t.Errorf("the earlier call is not named: %+v", item)
		}
	}
}
