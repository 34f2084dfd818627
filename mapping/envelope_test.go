package mapping_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"callbridge/mapping/payload"
)

const keepConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    split: "ids[*]"
    keep: {module: module, values: "changed[id={item}].values"}
    hide: [token, inner.secret]
    key: [[body:item, body:module]]
    type: [[body:module, body:values.stage?]]
    fields: {}
routes: []
`

func TestEventsOfABatchKeepWhatTheyNeedOfIt(t *testing.T) {
	t.Parallel()
	config := parse(t, keepConfig)
	events := read(t, config, "crm", "application/json",
		`{"module": "Leads", "ids": ["2", 1], "token": "t", "changed": [{"id": "1", "values": {"stage": "won"}}, {"id": 3}]}`)
	want := []string{`{"item":"2","module":"Leads"}`, `{"item":1,"module":"Leads","values":{"stage":"won"}}`}
	types := []string{"Leads", "Leads.won"}
	for i, in := range events {
		if string(in.Event.Data) != want[i] || in.Event.Type != types[i] {
			t.Errorf("got %s as %s, want %s as %s", in.Event.Data, in.Event.Type, want[i], types[i])
		}
	}
	if len(events) != 2 {
		t.Errorf("%d events", len(events))
	}
	none := read(t, config, "crm", "application/json", `{"module": "Leads", "ids": [], "token": "t"}`)
	if len(none) != 1 || none[0].Err == nil || string(none[0].Event.Data) != `{"item":null,"module":"Leads"}` {
		t.Errorf("a batch of nothing: %s, %v", none[0].Event.Data, none[0].Err)
	}
}

func TestHiddenMembersAreNotKept(t *testing.T) {
	t.Parallel()
	config := parse(t, `sources:
  crm:
    verify: {kind: none, reason: a test}
    hide: [token, inner.secret, gone.deeper]
    key: sha256:body
    fields: {}
`)
	first := read(t, config, "crm", "application/json", `{"a": 1, "token": "one", "inner": {"secret": "s", "b": 2}}`)[0]
	again := read(t, config, "crm", "application/json", `{"a": 1, "token": "two", "inner": {"b": 2}, "gone": "x"}`)[0]
	if string(first.Event.Data) != `{"a":1,"inner":{"b":2}}` {
		t.Errorf("kept %s", first.Event.Data)
	}
	if string(again.Event.Data) != `{"a":1,"gone":"x","inner":{"b":2}}` {
		t.Errorf("kept %s", again.Event.Data)
	}
	for _, body := range []string{`[1]`, `"text"`, `{"inner": [1], "token": null}`} {
		read(t, config, "crm", "application/json", body) // nothing to hide, nothing to fail on
	}
}

func TestAPartOfAnEventCanBeHashedIntoItsKey(t *testing.T) {
	t.Parallel()
	config := parse(t, fmt.Sprintf(identityConfig, "[[body:id, sha256:body:value?]]"))
	keys := map[string]bool{}
	for _, body := range []string{`{"id": 1, "value": "a"}`, `{"id": 1, "value": "b"}`, `{"id": 1}`, `{"id": 1, "value": ""}`, `{"id": 1, "value": null}`} {
		keys[read(t, config, "crm", "application/json", body)[0].Event.Key] = true
	}
	if len(keys) != 3 || !keys[`["1",null]`] {
		t.Errorf("got %v", keys)
	}
}

func TestCloudEventsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	_, source := loadPreset(t, "cloudevents")
	for name, c := range map[string]struct {
		header http.Header
		body   string
	}{
		"no attributes":          {http.Header{"Content-Type": {"application/json"}}, `{"phone": "1"}`},
		"an attribute twice":     {http.Header{"Ce-Id": {"1", "2"}, "Ce-Source": {"/s"}, "Content-Type": {"application/json"}}, `{}`},
		"an attribute in Latin1": {http.Header{"Ce-Id": {"%E9"}, "Ce-Source": {"/s"}, "Content-Type": {"application/json"}}, `{}`},
		"structured, cut off":    {http.Header{"Content-Type": {"application/cloudevents+json"}}, `{"id": "1"`},
	} {
		d := delivery(c.body)
		d.Header = c.header
		var syntax *payload.SyntaxError
		if events, err := source.Read(d); !errors.As(err, &syntax) {
			t.Errorf("%s: got %d events, %v", name, len(events), err)
		}
	}
	d := delivery("")
	d.Header = http.Header{"Ce-Id": {`"a \"b\" 100%"`}, "Ce-Source": {"/s"}}
	events, err := source.Read(d)
	if err != nil || events[0].Event.Key != `["/s","a \"b\" 100%"]` {
		t.Errorf("without data: %v, %v", events, err)
	}
}
