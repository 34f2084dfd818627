package mapping_test

import (
	"strings"
	"testing"

	"callbridge/mapping"
)

func TestIgnoredDeliveriesAreVerifiedAndHaveNoEvent(t *testing.T) {
	t.Parallel()
	c, err := mapping.Parse("callbridge.yaml", []byte(`sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [sha256:body]
    challenge: {kind: ignore, path: topic, equals: ping}
    fields: {}
`), mapping.Options{LookupEnv: func(name string) (string, bool) { return "open " + name, true }})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := c.Source("crm")
	events, err := source.Receive(delivery(`{"topic": "ping", "id": null}`, "X-Api-Key", "open SECRET"))
	if err != nil || len(events) != 0 {
		t.Errorf("a ping: %d events, %v", len(events), err)
	}
	if _, err := source.Receive(delivery(`{"topic": "ping"}`, "X-Api-Key", "wrong")); err == nil {
		t.Error("an unverified ping is accepted")
	}
	events, err = source.Receive(delivery(`{"topic": "pong"}`, "X-Api-Key", "open SECRET"))
	if err != nil || len(events) != 1 {
		t.Errorf("another topic: %d events, %v", len(events), err)
	}
}

func TestAnswersAndHandshakesAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"answer: {status: 404}":                      "answer.status: must be 200 to 299",
		"answer: {body: x}":                          "answer: content_type and body go together",
		"challenge: {path: x}":                       `challenge: "kind" is missing`,
		"challenge: {kind: head}":                    `challenge.kind: "head" is not allowed here`,
		"challenge: {kind: body_echo}":               `challenge: "path" is missing`,
		"challenge: {kind: head_ok, path: x}":        "challenge: kind head_ok does not take it",
		"challenge: {kind: header_echo, header: ''}": "challenge.header: is empty",
		"challenge: {kind: cloudevents_options, allowed_origins: ['*'], allowed_rate: 0}":                    "challenge.allowed_rate: must be a number above 0",
		"challenge: {kind: query_echo, mode_param: a, mode: b, token_param: c, echo_param: d, token: plain}": "challenge.token: a secret must not be written in this file",
		"keep: {a: b}":                     `keep: needs "split"`,
		"split: a[*]\n    keep: {item: b}": `keep: the name "item" is taken`,
		"hide: 'a[0]'":                     "hide: is not a member name",
	} {
		config := "sources:\n  crm:\n    preset: generic\n    verify: {kind: token, header: A, values: [\"${SECRET}\"]}\n    " + text + "\n"
		_, err := mapping.Parse("callbridge.yaml", []byte(config), withSecret())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
