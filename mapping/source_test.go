package mapping_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/payload"
	"callbridge/signature"
)

const identityConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: %s
    fields: {}
routes: []
`

func TestAnEventIsNamedByItsKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, body, want string }{
		{"body:id", `{"id": 9007199254740993}`, "9007199254740993"},
		{"[body:id, body:uuid]", `{"id": " ", "uuid": "u"}`, "u"},
		{"header:Idempotency-Key", `{}`, "h"},
		{"query:q", `{}`, "1"},
		{"sha256:body", `{"b": 1, "a": 2}`, "d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772"},
		{"[[body:a, body:b]]", `{"a": "1,2", "b": "3"}`, `["1,2","3"]`},
		{"[[body:a, body:b]]", `{"a": "1", "b": "2,3"}`, `["1","2,3"]`},
		{"[[body:a, body:b?]]", `{"a": "1"}`, `["1",null]`},
		{"[[body:a, text:v1]]", `{"a": "1"}`, `["1","v1"]`},
		{"[[body:a, body:b], query:q]", `{"a": "1"}`, "1"},
		{"[[body:a?, body:b?], query:q]", `{}`, "1"},
	} {
		t.Run(c.key+" of "+c.body, func(t *testing.T) {
			t.Parallel()
			config := parse(t, fmt.Sprintf(identityConfig, c.key))
			in := readWith(t, config, "crm", c.body, "Idempotency-Key", "h")[0]
			if in.Event.Key != c.want || in.Err != nil {
				t.Errorf("got %q, %v, want %q", in.Event.Key, in.Err, c.want)
			}
			if in.Event.ID != event.EventID("crm", c.want) {
				t.Errorf("the id %s is not that of the key", in.Event.ID)
			}
		})
	}
}

func TestAnEventWithoutKeyIsTheSameEventEachTime(t *testing.T) {
	t.Parallel()
	config := parse(t, fmt.Sprintf(identityConfig, "body:id"))
	first := read(t, config, "crm", "application/json", `{"a": 1}`)[0]
	again := readWith(t, config, "crm", `{"a": 1}`, "X-Attempt", "2")[0]
	other := read(t, config, "crm", "application/json", `{"a": 2}`)[0]
	if first.Err == nil || first.Event.ID != again.Event.ID || first.Event.ID == other.Event.ID {
		t.Errorf("%v: %s, %s, %s", first.Err, first.Event.ID, again.Event.ID, other.Event.ID)
	}
	d := config.Map(first)
	if len(d) != 1 || d[0].Result == nil || d[0].Result.Reason != event.ReasonBadEvent {
		t.Fatalf("got %+v, want one bad_event", d)
	}
	if r := d[0].Result; r.RequestID != event.RejectionID(first.Event.ID, "", event.ReasonBadEvent, "", "") || !r.Time.Equal(received) || string(r.Event.Data) != `{"a": 1}` {
		t.Errorf("got %+v", r)
	}
}

const batchConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    split: events[*]
    max_events: 2
routes: []
`

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	config := parse(t, batchConfig)
	source, _ := config.Source("crm")
	const genuine = "open sesame"
	var failure *signature.Failure
	var syntax *payload.SyntaxError
	for _, c := range []struct {
		name, key, contentType, body string
		is                           func(error) bool
	}{
		{"what is not proved", "wrong", "application/json", `{}`, func(err error) bool { return errors.As(err, &failure) }},
		{"what is not proved, before it reads it", "", "application/json", `{`, func(err error) bool { return errors.As(err, &failure) }},
		{"what is no JSON", genuine, "application/json", `{`, func(err error) bool { return errors.As(err, &syntax) }},
		{"a form that nobody reads", genuine, "image/png", `x`, func(err error) bool { return errors.Is(err, payload.ErrUnsupported) }},
		{"too many events", genuine, "application/json", `{"events": [1, 2, 3]}`, func(err error) bool { return errors.Is(err, mapping.ErrTooManyEvents) }},
	} {
		in, err := source.Receive(delivery(c.body, "Content-Type", c.contentType, "X-Api-Key", c.key))
		if !c.is(err) || in != nil {
			t.Errorf("%s: got %v, %v", c.name, in, err)
		}
	}
	in, err := source.Receive(delivery(`{"events": [{"id": 1}, {"id": 2}]}`, "X-Api-Key", genuine))
	if err != nil || len(in) != 2 || in[1].Event.Key != "2" || string(in[1].Event.Data) != `{"id":2}` {
		t.Errorf("got %+v, %v", in, err)
	}
}

func TestADeliveryWithoutEventsIsVisible(t *testing.T) {
	t.Parallel()
	config := parse(t, batchConfig)
	d := config.Map(read(t, config, "crm", "application/json", `{"id": 1, "items": []}`)[0])
	if len(d) != 1 || d[0].Result.Reason != event.ReasonBadEvent || d[0].Result.Detail != "no event at split: events[*]" {
		t.Errorf("got %+v", d)
	}
}

func TestASourceWithoutSecretsReadsAndRefuses(t *testing.T) {
	t.Parallel()
	none := mapping.Options{
		LookupEnv:      func(string) (string, bool) { return "", false },
		WithoutSecrets: true,
	}
	for _, verify := range []string{
		`{kind: token, header: X, values: ["${A}"]}`,
		`{kind: hmac, hash: sha256, header: X, encoding: hex, keys: ["${A}"], key_encoding: hex}`,
		`[{any_of: [{kind: basic, user: u, passwords: ["${A}"]}, {kind: publickey, alg: ed25519, header: X, encoding: hex, keys: ["${A}"], key_encoding: pem}]}]`,
	} {
		text := strings.Replace(batchConfig, `{kind: token, header: X-Api-Key, values: ["${SECRET}"]}`, verify, 1)
		config, err := mapping.Parse("callbridge.yaml", []byte(text), none)
		if err != nil {
			t.Errorf("%s: %v", verify, err)
			continue
		}
		source, _ := config.Source("crm")
		var failure *signature.Failure
		if _, err := source.Receive(delivery(`{}`, "X", "without-secrets")); !errors.As(err, &failure) {
			t.Errorf("%s: received with %v", verify, err)
		}
	}
}

func TestMaxAgeCountsByTheTimeOfTheCRM(t *testing.T) {
	t.Parallel()
	config := parse(t, `sources:
  crm:
    verify: {kind: none, reason: a test}
    key: sha256:body
    time: body:at
    max_age: 1h
    fields: {phone: {path: phone, type: phone}}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone}}
`)
	for at, want := range map[string]string{
		`"2026-11-23T11:30:00Z"`: "requested",
		`"2026-11-23T12:30:00Z"`: "requested",
		`"2026-11-23T10:59:59Z"`: "skipped too_old",
		`null`:                   "rejected missing_field time",
		`"this morning"`:         "rejected bad_field time",
	} {
		in := read(t, config, "crm", "application/json", `{"phone": "+12025550142", "at": `+at+`}`)
		o := outcomeOf(config.Map(in[0])[0])
		if got := strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Outcome, o.Reason, o.Field)); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
	}
}

func TestAnEventFromTheBusIsMappedLikeTheDelivery(t *testing.T) {
	t.Parallel()
	config := parse(t, fmt.Sprintf(rulesConfig, "score > 5"))
	in := read(t, config, "crm", "application/json", `{"phone": "+12025550142", "score": 6}`)[0]
	first, again := config.Map(in), config.Map(mapping.Incoming{Event: in.Event})
	if string(first[0].Request.Call) != string(again[0].Request.Call) {
		t.Errorf("got %s and %s", first[0].Request.Call, again[0].Request.Call)
	}
	gone := config.Map(mapping.Incoming{Event: event.Event{Source: "gone"}})
	if len(gone) != 1 || gone[0].Result.Reason != event.ReasonBadEvent {
		t.Errorf("got %+v for a source that is gone", gone)
	}
}
