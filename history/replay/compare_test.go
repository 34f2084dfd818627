package replay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
	"callbridge/mapping"
)

const secretless = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    fields: {phone: {path: phone, type: phone}, score: {path: score, type: number}, name: {path: name, optional: true}}
policy: {countries: [US], hours: any}
`

// load loads a configuration with the routes.
func load(t testing.TB, routes string) *mapping.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	if err := os.WriteFile(file, []byte(secretless+"routes:\n"+routes), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := mapping.Load(file, mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const live = `  - {name: lead, source: crm, mode: live, purpose: service, when: score > 50, call: {call_to: phone, company_id: 3c90c3cc-0d44-4b50-8888-8dd25736052a, ai_agent_id: 3c90c3cc-0d44-4b50-8888-8dd25736052a, agent_dynamic_variables: {name: "{{name|you}}"}}}
`

func lead(body string) event.Event {
	return event.Event{ID: event.EventID("crm", "1"), Source: "crm", Key: "1", Received: time.Now(), Data: json.RawMessage(body)}
}

const ada = `{"id":"1","phone":"+12025550142","score":72,"name":"Ada"}`

// requested is the call that a configuration makes of an event.
func requested(t testing.TB, c *mapping.Config, e event.Event) event.Request {
	t.Helper()
	in, err := mapping.Resume(event.Pending{Event: e})
	if err != nil {
		t.Fatal(err)
	}
	d := c.Map(in)
	if len(d) != 1 || d[0].Request == nil {
		t.Fatalf("no call is made: %+v", d[0].Result)
	}
	return *d[0].Request
}

func TestCompareTellsWhatAReplayWouldChange(t *testing.T) {
	t.Parallel()
	c := load(t, live)
	call := requested(t, c, lead(ada))
	renamed := lead(`{"id":"1","phone":"+12025550142","score":72,"name":"Eve"}`)
	skipped := Old{Request: call.ID, Outcome: event.Skipped, Reason: event.ReasonNoRoute}
	rejected := Old{Request: uuid.New(), Outcome: event.Rejected, Reason: event.ReasonMissingField}
	open := Old{Request: call.ID, Open: true, call: call.Call}
	accepted := Old{Request: call.ID, Outcome: event.Accepted}
	for name, c := range map[string]struct {
		config  *mapping.Config
		event   event.Event
		olds    map[string]Old
		want    Verdict
		outcome string
		changed []string
		gate    string
	}{
		"skipped, now called":     {c, lead(ada), map[string]Old{"": skipped}, WouldCall, "requested", nil, ""},
		"rejected, now called":    {c, lead(ada), map[string]Old{"lead": rejected}, WouldCall, "requested", nil, ""},
		"failed, now called":      {c, lead(ada), map[string]Old{"lead": {Request: call.ID, Outcome: event.Failed}}, WouldCall, "requested", nil, ""},
		"called":                  {c, lead(ada), map[string]Old{"lead": accepted}, AlreadyCalled, "requested", nil, ""},
		"perhaps called":          {c, lead(ada), map[string]Old{"lead": {Request: call.ID, Outcome: event.Unknown}}, AlreadyCalled, "requested", nil, ""},
		"called by another route": {c, lead(ada), map[string]Old{"old": {Request: uuid.New(), Outcome: event.Accepted, to: "+12025550142"}}, AlreadyCalled, "requested", nil, ""},
		"other number called":     {c, lead(ada), map[string]Old{"old": {Request: uuid.New(), Outcome: event.Accepted, to: "+12025550143"}}, WouldCall, "requested", nil, ""},
		"open":                    {c, lead(ada), map[string]Old{"lead": open}, Same, "requested", nil, ""},
		"open, another name":      {c, renamed, map[string]Old{"lead": open}, CallChanges, "requested", []string{"agent_dynamic_variables"}, ""},
		"open, not any more":      {c, lead(`{"id":"1","phone":"+12025550142","score":2}`), map[string]Old{"lead": open}, Same, "skipped", nil, ""},
		"skipped as before":       {c, lead(`{"id":"1","phone":"+12025550142","score":2}`), map[string]Old{"": skipped}, Same, "skipped", nil, ""},
		"now invalid":             {c, lead(`{"id":"1","score":72}`), map[string]Old{"": skipped}, NowInvalid, "rejected", nil, ""},
		"rejected as before":      {c, lead(`{"id":"1","score":72}`), map[string]Old{"lead": rejected}, Same, "rejected", nil, ""},
		"another country":         {c, lead(`{"id":"1","phone":"+4930901820","score":72}`), map[string]Old{"": skipped}, NowInvalid, "rejected", nil, ""},
	} {
		items := compare(c.config, c.event, c.olds, time.Now())
		i := slices.IndexFunc(items, func(i Item) bool { return i.Route == "lead" || i.Route == "" && i.Outcome == "skipped" })
		if i < 0 || items[i].Verdict != c.want || items[i].Outcome != c.outcome || !slices.Equal(items[i].Changed, c.changed) || items[i].Gate != c.gate {
			t.Errorf("%s: %+v", name, items)
		}
	}
}

func TestAnOpenRequestOfARouteThatDoesNotWantTheEventAnyMore(t *testing.T) {
	t.Parallel()
	c := load(t, live)
	call := requested(t, c, lead(ada))
	items := compare(c, lead(`{"id":"1","phone":"+12025550142","score":2}`), map[string]Old{"lead": {Request: call.ID, Open: true, call: call.Call}}, time.Now())
	if i := slices.IndexFunc(items, func(i Item) bool { return i.Verdict == WouldNotCall }); i < 0 || items[i].Route != "lead" {
		t.Errorf("%+v", items)
	}
}
