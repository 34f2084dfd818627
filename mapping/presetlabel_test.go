package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/mapping"
)

// TestPresetsPassOverFaxNumbers: a number that is labelled as a fax is not called,
// wherever it stands, and not even if it is the only one.
func TestPresetsPassOverFaxNumbers(t *testing.T) {
	t.Parallel()
	const fax, voice = "+12025550199", "+12025550142"
	for _, c := range []struct{ preset, item, body, answer string }{
		{"close", `{"type":"%","phone":"@"}`, `{"event":{"id":"ev1","object_type":"contact","action":"created","data":{"phones":[$]}}}`, ""},
		{"close", `{"type":"%","phone":"@"}`, `{"event":{"id":"ev1","object_type":"contact","action":"created","data":{"contacts":[{"phones":[$]}]}}}`, ""},
		{"close", `{"type":"%","phone":"@"}`, `{"event":{"id":"ev1","object_type":"lead","action":"created","data":{"contact_ids":["c"]}}}`, `{"phones":[$]}`},
		{"pipedrive", `{"label":"%","value":"@","primary":true}`, `{"meta":{"action":"create","entity":"person","id":"u","version":"2.0"},"data":{"phones":[$]}}`, ""},
		{"pipedrive", `{"label":"%","value":"@"}`, `{"meta":{"action":"create","entity":"person","id":"u","version":"2.0"},"data":{"phones":[$]}}`, ""},
		{"pipedrive", `{"label":"%","value":"@"}`, `{"meta":{"action":"added","object":"person","id":1},"current":{"phone":[$]}}`, ""},
		{"pipedrive", `{"label":"%","value":"@"}`, `{"meta":{"action":"create","entity":"deal","id":"u","version":"2.0"},"data":{"person_id":5}}`, `{"data":{"phones":[$]}}`},
		{"standard-webhooks", `{"label":"%","phone_number":"@"}`, `{"type":"t","data":{"phone_numbers":[$]}}`, ""},
		{"monday", `{"type":"phone","column":{"title":"%"},"phone":"@"}`, `{"event":{"type":"create_pulse","pulseId":1}}`, `{"data":{"items":[{"column_values":[$]}]}}`},
		{"typeform", `{"type":"phone_number","field":{"ref":"%"},"phone_number":"@"}`, `{"event_type":"form_response","form_response":{"token":"t","submitted_at":"2026-11-23T11:58:20Z","answers":[$]}}`, ""},
	} {
		for _, label := range []string{"fax", "Fax", "FAX", "work fax", "Telefax"} {
			item := func(label, number string) string {
				return strings.Replace(strings.Replace(c.item, "%", label, 1), "@", number, 1)
			}
			both := item(label, fax) + "," + item("office", voice)
			if got := dialledBy(t, c.preset, strings.Replace(c.body, "$", both, 1), strings.Replace(c.answer, "$", both, 1)); got != voice {
				t.Errorf("%s: %s first: got %q", c.preset, label, got)
			}
			alone := item(label, fax)
			if got := dialledBy(t, c.preset, strings.Replace(c.body, "$", alone, 1), strings.Replace(c.answer, "$", alone, 1)); got != "" {
				t.Errorf("%s: %s alone: got %q", c.preset, label, got)
			}
		}
	}
}

// dialledBy is the number that a preset finds in an event, or "".
func dialledBy(t *testing.T, preset, body, answer string) string {
	t.Helper()
	config, source := loadPreset(t, preset)
	events, err := source.Read(delivery(body, "Webhook-Id", "msg_1"))
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %d events, %v", preset, len(events), err)
	}
	in := events[0]
	if answer != "" {
		if in, err = in.WithLookup([]byte(answer), "application/json"); err != nil {
			t.Fatal(err)
		}
	}
	for _, field := range config.Explain(in).Reveal().Fields {
		if field.Name == "phone" && field.State == "there" {
			number, _ := field.Value.(string)
			return number
		}
	}
	return ""
}

// The column that was changed may be the fax of an item.
func TestChangedFaxColumnOfMondayIsNotCalled(t *testing.T) {
	t.Parallel()
	const body = `{"event":{"type":"update_column_value","pulseId":1,"changedAt":1.5,"columnId":"phone","columnTitle":"%","value":{"phone":"12025550199","countryShortName":"US"}}}`
	if got := dialledBy(t, "monday", strings.Replace(body, "%", "Fax number", 1), ""); got != "" {
		t.Errorf("got %q", got)
	}
	if got := dialledBy(t, "monday", strings.Replace(body, "%", "Phone", 1), ""); got != "+12025550199" {
		t.Errorf("got %q", got)
	}
}

// TestTimesOfPresetsAreSaidInThePersonsZone uses the zone that each CRM knows.
func TestTimesOfPresetsAreSaidInThePersonsZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ preset, body, answer string }{
		{"calendly", `{"event":"invitee.created","created_at":"2026-11-23T11:00:00Z","payload":{"uri":"u","timezone":"America/Los_Angeles","text_reminder_number":"+12025550142"}}`, ""},
		{"cloudevents", `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-23T11:00:00Z","data":{"phone":"+12025550142","timezone":"us_slash_pacific"}}`, ""},
		{"freshsales", `{"phone":"+12025550142","updated_at":"2026-11-23T11:00:00Z","timezone":"Pacific Time (US & Canada)"}`, ""},
		{"generic", `{"event_id":"1","phone":"+12025550142","occurred_at":"2026-11-23T11:00:00Z","timezone":"America/Los_Angeles"}`, ""},
		{"gohighlevel", `{"type":"ContactCreate","webhookId":"w","timestamp":"2026-11-23T11:00:00Z","phone":"+12025550142","timezone":"America/Los_Angeles"}`, ""},
		{"gohighlevel-workflow", `{"timestamp":"2026-11-23T11:00:00Z","phone":"+12025550142","timezone":"America/Los_Angeles"}`, ""},
		{"hubspot", `[{"portalId":2,"objectId":3,"occurredAt":1795431600000,"subscriptionType":"contact.creation"}]`, `{"properties":{"phone":"+12025550142","hs_timezone":"us_slash_pacific"}}`},
		{"hubspot-workflow", `{"phone":"+12025550142","lastmodifieddate":"2026-11-23T11:00:00Z","hs_timezone":"us_slash_pacific"}`, ""},
		{"standard-webhooks", `{"type":"t","timestamp":"2026-11-23T11:00:00Z","data":{"phone":"+12025550142","timezone":"America/Los_Angeles"}}`, ""},
	} {
		text := strings.Replace(presetConfig(c.preset), "call: {call_to: phone}", `call: {call_to: phone, notes: "{{time:3:04 PM}}"}`, 1)
		if note := noteOf(t, c.preset, text, c.body, c.answer); note != "3:00 AM" {
			t.Errorf("%s says %q", c.preset, note)
		}
	}
}

// requestOf is the request that an event leads to.
func requestOf(t *testing.T, preset, text, body, answer string) *event.Request {
	t.Helper()
	config, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return presetSecret(preset, name), true },
	})
	if err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	contentType := "application/json"
	if preset == "cloudevents" {
		contentType = "application/cloudevents+json"
	}
	in := readWith(t, config, "crm", body, "Content-Type", contentType, "Webhook-Id", "msg_1")[0]
	if answer != "" {
		if in, err = in.WithLookup([]byte(answer), "application/json"); err != nil {
			t.Fatal(err)
		}
	}
	d := config.Map(in)[0]
	if d.Request == nil {
		t.Fatalf("%s: %+v", preset, d.Result)
	}
	return d.Request
}

// noteOf is the first line of the note of the call that an event leads to.
func noteOf(t *testing.T, preset, text, body, answer string) string {
	t.Helper()
	var call struct{ Notes string }
	if err := json.Unmarshal(requestOf(t, preset, text, body, answer).Call, &call); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(call.Notes, "\n")
	return first
}

// TestPresetsSayWhereThePersonIs: each preset with an address reads it where the CRM has it.
func TestPresetsSayWhereThePersonIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		preset, body, answer string
		want                 event.Person
	}{
		{"generic", `{"event_id":"1","phone":"+12025550142","occurred_at":"2026-11-23T11:00:00Z","timezone":"America/Chicago","country":"USA","contact":{"state":"TX","zip":"75001"}}`, "",
			event.Person{Timezone: "America/Chicago", Country: "US", Region: "TX", PostalCode: "75001"}},
		{"cloudevents", `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-23T11:00:00Z","data":{"phone":"+12025550142","country":"US","address":{"state":"Texas","zip":75001}}}`, "",
			event.Person{Country: "US", Region: "Texas", PostalCode: "75001"}},
		{"standard-webhooks", `{"type":"t","timestamp":"2026-11-23T11:00:00Z","data":{"phone":"+12025550142","address":{"country":"US","state":"TX","postal_code":"75001"}}}`, "",
			event.Person{Country: "US", Region: "TX", PostalCode: "75001"}},
		{"freshsales", `{"phone":"+12025550142","updated_at":"2026-11-23T11:00:00Z","timezone":"Central Time (US & Canada)","country":"USA","state":"Texas","zipcode":"75001"}`, "",
			event.Person{Timezone: "Central Time (US & Canada)", Country: "US", Region: "Texas", PostalCode: "75001"}},
		{"gohighlevel", `{"type":"ContactCreate","webhookId":"w","timestamp":"2026-11-23T11:00:00Z","phone":"+12025550142","country":"US","state":"TX","postalCode":"75001"}`, "",
			event.Person{Country: "US", Region: "TX", PostalCode: "75001"}},
		// The location is the account's, not the person's.
		{"gohighlevel-workflow", `{"timestamp":"2026-11-23T11:00:00Z","phone":"+12025550142","country":"US","state":"Texas","postal_code":"75001","location":{"state":"NY","postalCode":"10001"}}`, "",
			event.Person{Country: "US", Region: "Texas", PostalCode: "75001"}},
		{"hubspot", `[{"portalId":2,"objectId":3,"occurredAt":1795431600000,"subscriptionType":"contact.creation"}]`,
			`{"properties":{"phone":"+12025550142","hs_timezone":"us_slash_central","country":"United States","state":"TX","zip":"75001"}}`,
			event.Person{Timezone: "us_slash_central", Country: "US", Region: "TX", PostalCode: "75001"}},
		{"hubspot-workflow", `{"phone":"+12025550142","lastmodifieddate":"2026-11-23T11:00:00Z","hs_timezone":"us_slash_central","properties":{"state":{"value":"TX"},"zip":{"value":"75001"}}}`, "",
			event.Person{Timezone: "us_slash_central", Region: "TX", PostalCode: "75001"}},
		{"salesforce-flow", `{"id":"00Q1","lastModifiedDate":"2026-11-23T11:00:00Z","phone":"+12025550142","MailingCountry":"United States","MailingState":"Texas","MailingPostalCode":"75001"}`, "",
			event.Person{Country: "US", Region: "Texas", PostalCode: "75001"}},
		{"shopify", `{"id":1,"created_at":"2026-11-23T11:00:00Z","updated_at":"2026-11-23T11:00:00Z","phone":"+12025550142","default_address":{"country_code":"US","province_code":"TX","zip":"75001"}}`, "",
			event.Person{Country: "US", Region: "TX", PostalCode: "75001"}},
		{"zoho-workflow", `{"id":"1","module":"Leads","phone":"+12025550142","modified_time":"2026-11-23T11:00:00Z","Mailing_Country":"USA","Mailing_State":"TX","Mailing_Zip":"75001"}`, "",
			event.Person{Country: "US", Region: "TX", PostalCode: "75001"}},
	} {
		if got := requestOf(t, c.preset, presetConfig(c.preset), c.body, c.answer).Person; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.preset, got, c.want)
		}
	}
}
