package mapping_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"callbridge/mapping"
	"callbridge/mapping/sources"
)

// optOutRoute is a route that a page recommends.
const optOutRoute = "  - {name: all, source: crm, mode: live, purpose: service, policy: {countries: [US, CA, GB, DE, FR, AU]}, when: '%WHEN%', call: {call_to: phone}}\n"

// mapWith maps the first event of a body with a preset and a rule.
func mapWith(t *testing.T, preset, contentType, when, body, answer string) string {
	t.Helper()
	text, _, _ := strings.Cut(presetConfig(preset), "routes:\n")
	text += "routes:\n" + strings.Replace(optOutRoute, "%WHEN%", when, 1)
	config, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return presetSecret(preset, name), true },
	})
	if err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	if preset == "cloudevents" {
		contentType = "application/cloudevents+json"
	}
	source, _ := config.Source("crm")
	events, err := source.Read(mapping.Delivery{Body: []byte(body), Received: received, Header: http.Header{"Content-Type": {contentType}, "Webhook-Id": {"msg_1"}}})
	if err != nil || len(events) == 0 {
		t.Fatalf("%s: %d events, %v", preset, len(events), err)
	}
	in := events[0]
	if answer != "" {
		if _, needed := config.Lookup(in); !needed {
			t.Errorf("%s: %s needs no lookup", preset, body)
		}
		if in, err = in.WithLookup([]byte(answer), "application/json"); err != nil {
			t.Fatal(err)
		}
	}
	got := outcomeOf(config.Map(in)[0])
	return strings.TrimSpace(string(got.Outcome) + " " + string(got.Reason))
}

// optOut is a CRM's flag in one form: %s is its value in JSON, or all of the member.
type optOut struct {
	preset, body, answer string
	// unset is what comes of an event without the flag.
	unset string
}

const unknownFlag = "rejected missing_field"

var optOuts = []optOut{
	{"attio", `{"events":[{"event_type":"record.created","id":{"object_id":"o","record_id":"r"}}]}`,
		`{"data":{"values":{"phone_numbers":[{"phone_number":"+12025550142"}]%,"do_not_call":[{"value":@}]%}}}`, unknownFlag},
	{"cloudevents", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"phone":"+12025550142"%,"do_not_call":@%}}`, "", unknownFlag},
	{"dynamics365", `{"MessageName":"Create","PrimaryEntityName":"lead","PrimaryEntityId":"6d81597f-0000-4000-8000-000000000001","CorrelationId":"c","InputParameters":[{"key":"Target","value":{"Attributes":[{"key":"telephone1","value":"+12025550142"}%,{"key":"donotphone","value":@}%]}}]}`, "", unknownFlag},
	{"dynamics365", `{"MessageName":"Update","PrimaryEntityName":"lead","PrimaryEntityId":"6d81597f-0000-4000-8000-000000000001","CorrelationId":"c","InputParameters":[{"key":"Target","value":{"Attributes":[{"key":"telephone1","value":"+12025550142"}]}}]}`,
		`{"telephone1":"+12025550142"%,"donotphone":@%}`, unknownFlag},
	{"freshsales", `{"phone":"+12025550142"%,"do_not_call":@%}`, "", unknownFlag},
	{"generic", `{"event_id":"1","phone":"+12025550142"%,"do_not_call":@%}`, "", unknownFlag},
	{"gohighlevel", `{"type":"ContactCreate","webhookId":"w","timestamp":"2026-11-23T11:59:00Z","id":"C1","phone":"+12025550142"%,"dnd":@%}`, "", "requested"},
	{"gohighlevel", `{"type":"ContactCreate","webhookId":"w","timestamp":"2026-11-23T11:59:00Z","id":"C1","phone":"+12025550142","dnd":false%,"dndSettings":{"Call":{"status":@}}%}`, "", "requested"},
	{"gohighlevel", `{"type":"OpportunityCreate","webhookId":"w","timestamp":"2026-11-23T11:59:00Z","contactId":"C1"}`,
		`{"contact":{"phone":"+12025550142"%,"dndSettings":{"Call":{"status":@}}%}}`, "requested"},
	{"gohighlevel-workflow", `{"contact_id":"C1","phone":"+12025550142","customData":{"type":"t"%,"do_not_call":@%}}`, "", unknownFlag},
	{"hubspot", `[{"eventId":1,"portalId":2,"objectId":3,"occurredAt":1795435100123,"subscriptionType":"contact.creation"}]`,
		`{"properties":{"phone":"+12025550142"%,"do_not_call":@%}}`, unknownFlag},
	{"hubspot", `[{"eventId":1,"portalId":2,"objectId":3,"occurredAt":1795435100123,"subscriptionType":"deal.creation"}]`,
		`{"results":[{"properties":{"phone":"+12025550142"%,"do_not_call":@%}}]}`, unknownFlag},
	{"hubspot-workflow", `{"phone":"+12025550142"%,"do_not_call":@%}`, "", unknownFlag},
	{"hubspot-workflow", `{"properties":{"phone":{"value":"+12025550142"}%,"do_not_call":{"value":@}%}}`, "", unknownFlag},
	{"intercom", `{"id":"n","topic":"contact.lead.created","created_at":1795435100,"data":{"item":{"type":"contact","id":"c","phone":"+12025550142","custom_attributes":{"x":1%,"do_not_call":@%}}}}`, "", unknownFlag},
	{"monday", `{"event":{"type":"update_column_value","pulseId":1,"changedAt":1795435100.5,"columnId":"status"}}`,
		`{"data":{"items":[{"column_values":[{"type":"phone","phone":"+12025550142"}%,{"column":{"title":"Do not call"},"text":@}%]}]}}`, unknownFlag},
	{"salesforce-flow", `{"eventId":"1","phone":"+12025550142"%,"doNotCall":@%}`, "", unknownFlag},
	{"standard-webhooks", `{"type":"t","data":{"phone":"+12025550142"%,"do_not_call":@%}}`, "", unknownFlag},
	{"zendesk", `{"type":"callback","phone":"+12025550142"%,"do_not_call":@%}`, "", unknownFlag},
	{"zendesk", `{"zendesk_event_version":"2022-11-06","id":"e","type":"zen:event-type:user.created","detail":{"id":"5"}}`,
		`{"user":{"phone":"+12025550142","user_fields":{"x":1%,"do_not_call":@%}}}`, unknownFlag},
	{"zoho", `{"module":"Leads","operation":"insert","ids":["7"],"server_time":1795435100123}`,
		`{"data":[{"Phone":"+12025550142"%,"Do_Not_Call":@%}]}`, unknownFlag},
	{"zoho-workflow", `{"phone":"+12025550142"%,"do_not_call":@%}`, "", unknownFlag},
}

// with puts the value of the flag into a text; without one the member is left out.
func (o optOut) with(text, value string) string {
	before, rest, ok := strings.Cut(text, "%")
	if !ok {
		return text
	}
	flag, after, _ := strings.Cut(rest, "%")
	if value == "" {
		return before + after
	}
	return before + strings.Replace(flag, "@", value, 1) + after
}

// TestOptOutsAreReadInEveryPreset: only a word that means "may be called" leads to a
// call. Everything else that stands there is a no.
func TestOptOutsAreReadInEveryPreset(t *testing.T) {
	t.Parallel()
	for _, o := range optOuts {
		try := func(value, want string) {
			t.Helper()
			answer := o.answer
			if answer != "" {
				answer = o.with(answer, value)
			}
			if got := mapWith(t, o.preset, "application/json", "!do_not_call", o.with(o.body, value), answer); got != want {
				t.Errorf("%s: with %q got %s, want %s", o.preset, value, got, want)
			}
		}
		for _, no := range []string{`true`, `"true"`, `"yes"`, `1`, `"1"`, `"on"`, `"active"`, `"permanent"`, `"unknown"`, `"ja"`, `"N/A"`, `"-"`, `"null"`, `"{{contact.dnd}}"`} {
			try(no, "skipped no_route")
		}
		for _, yes := range []string{`false`, `"false"`, `"No"`, `0`, `" false "`} {
			try(yes, "requested")
		}
		try("", o.unset)
		if strings.Contains(o.body+o.answer, `"value":@}`) && o.preset == "attio" {
			continue
		}
		for _, odd := range []string{`{"a":1}`, `["x"]`} {
			if got := mapWith(t, o.preset, "application/json", "!do_not_call", o.with(o.body, odd), o.with(o.answer, odd)); !strings.HasPrefix(got, "rejected") {
				t.Errorf("%s: with %s got %s, want it rejected", o.preset, odd, got)
			}
		}
	}
}

func TestOptOutOfAnOutboundMessage(t *testing.T) {
	t.Parallel()
	const body = `<Envelope><Body><notifications><OrganizationId>O</OrganizationId><Notification><Id>04l1</Id><sObject><Phone>+12025550142</Phone>%s</sObject></Notification></notifications></Body></Envelope>`
	for flag, want := range map[string]string{
		"<DoNotCall>true</DoNotCall>": "skipped no_route", "<DoNotCall>1</DoNotCall>": "skipped no_route", "<DoNotCall>false</DoNotCall>": "requested",
		"<DoNotCall>false</DoNotCall><PersonDoNotCall>true</PersonDoNotCall>": "skipped no_route", "": unknownFlag,
	} {
		if got := mapWith(t, "salesforce-outbound-message", "text/xml", "!do_not_call", strings.Replace(body, "%s", flag, 1), ""); got != want {
			t.Errorf("%s: got %s, want %s", flag, got, want)
		}
	}
}

// What null means is said by each preset: a box that nobody has ticked, where the CRM
// sends it so.
func TestUnsetOptOutsOfPresets(t *testing.T) {
	t.Parallel()
	unsetIsNo := []string{"gohighlevel", "hubspot", "hubspot-workflow", "intercom", "monday"}
	for _, o := range optOuts {
		want := unknownFlag
		if slices.Contains(unsetIsNo, o.preset) {
			want = "requested"
		}
		answer := o.answer
		if o.preset == "attio" {
			answer, want = `{"data":{"values":{"phone_numbers":[{"phone_number":"+12025550142"}],"do_not_call":[]}}}`, "requested"
		} else if answer != "" {
			answer = o.with(answer, "null")
		}
		if got := mapWith(t, o.preset, "application/json", "!do_not_call", o.with(o.body, "null"), answer); got != want {
			t.Errorf("%s: with null got %s, want %s", o.preset, got, want)
		}
	}
}

// The rule that the page of gohighlevel recommended.
func TestPermanentOptOutOfHighLevel(t *testing.T) {
	t.Parallel()
	const body = `{"type":"ContactCreate","webhookId":"w","timestamp":"2026-11-23T11:59:00Z","id":"C1","phone":"+12025550142","dnd":false,"dndSettings":{"Call":{"status":"permanent"}}}`
	if got := mapWith(t, "gohighlevel", "application/json", `type == "ContactCreate" && !dnd && dnd_call != "active"`, body, ""); got != "skipped no_route" {
		t.Errorf("got %s", got)
	}
}

// TestEveryPresetSaysHowAnOptOutIsRead: each has the flag and recommends a rule with
// it, or says that its CRM has none.
func TestEveryPresetSaysHowAnOptOutIsRead(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{"salesforce-outbound-message": true}
	for _, o := range optOuts {
		tried[o.preset] = true
	}
	for _, preset := range sources.All() {
		f := facts(t, preset)
		has := false
		for _, field := range f.Fields {
			has = has || field.Name == "do_not_call" && field.Type == "bool"
		}
		switch {
		case has && !strings.Contains(f.SetUp, "!do_not_call"):
			t.Errorf("%s recommends no rule with !do_not_call", preset.Name)
		case has != tried[preset.Name]:
			t.Errorf("%s: its flag is not tested", preset.Name)
		case !has && !strings.HasPrefix(f.DoNotCall, "no flag of "):
			t.Errorf("%s says nothing about its opt-out: %q", preset.Name, f.DoNotCall)
		}
	}
}
