package mapping_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"callbridge/mapping"
)

const challengeConfig = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: [sha256:body]
    challenge:
      - {kind: query_echo, mode_param: hub.mode, mode: subscribe, token_param: hub.verify_token, token: ["${SECRET}", "${OTHER}"], echo_param: hub.challenge}
      - {kind: body_echo, path: challenge, only_if_absent: event}
      - {kind: head_ok}
      - {kind: header_echo, header: X-Hook-Secret}
      - {kind: header_echo, header: X-Okta-Verification-Challenge, field: verification}
      - {kind: cloudevents_options, allowed_origins: [a.example.com, b.example.com], allowed_rate: 120}
      - {kind: ignore, path: topic, equals: ping}
    fields: {}
routes: []
`

func challengeSource(t testing.TB, config string) *mapping.Source {
	t.Helper()
	c, err := mapping.Parse("callbridge.yaml", []byte(config), mapping.Options{LookupEnv: func(name string) (string, bool) {
		return "open " + name, true
	}})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := c.Source("crm")
	return source
}

func TestHandshakesAreAnsweredAsEachCRMWants(t *testing.T) {
	t.Parallel()
	source := challengeSource(t, challengeConfig)
	type headers = map[string]string
	for _, c := range []struct {
		name, method, query, body string
		sent                      headers
		want                      bool
		wantBody                  string
		wantHeaders               headers
	}{
		{"Meta", "GET", "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=open+SECRET", "", nil, true, "1158201444", nil},
		{"Meta, the other token", "GET", "hub.mode=subscribe&hub.challenge=1&hub.verify_token=open+OTHER", "", nil, true, "1", nil},
		{"Meta, another token", "GET", "hub.mode=subscribe&hub.challenge=1&hub.verify_token=open", "", nil, false, "", nil},
		{"Meta, no token", "GET", "hub.mode=subscribe&hub.challenge=1", "", nil, false, "", nil},
		{"Meta, another mode", "GET", "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=open+SECRET", "", nil, false, "", nil},
		{"Meta, nothing to echo", "GET", "hub.mode=subscribe&hub.verify_token=open+SECRET", "", nil, false, "", nil},
		{"Meta, a book to echo", "GET", "hub.mode=subscribe&hub.verify_token=open+SECRET&hub.challenge=" + strings.Repeat("x", 1025), "", nil, false, "", nil},
		{"Meta by POST", "POST", "hub.mode=subscribe&hub.challenge=1&hub.verify_token=open+SECRET", "{}", nil, false, "", nil},
		{"monday", "POST", "", `{"challenge": "3eZb\"<script>"}`, nil, true, `{"challenge":"3eZb\"\u003cscript\u003e"}`, nil},
		{"Slack", "POST", "", `{"token": "t", "challenge": "abc", "type": "url_verification"}`, nil, true, `{"challenge":"abc"}`, nil},
		{"an event with a challenge in it", "POST", "", `{"challenge": "abc", "event": {}}`, nil, false, "", nil},
		{"a challenge that is no text", "POST", "", `{"challenge": {"a": 1}}`, nil, false, "", nil},
		{"a challenge that is a book", "POST", "", `{"challenge": "` + strings.Repeat("x", 1025) + `"}`, nil, false, "", nil},
		{"no JSON", "POST", "", `challenge=1`, nil, false, "", nil},
		{"HEAD", "HEAD", "", "", nil, true, "", nil},
		{"Asana", "POST", "", "", headers{"X-Hook-Secret": "s1"}, true, "", headers{"X-Hook-Secret": "s1"}},
		{"Okta", "GET", "", "", headers{"X-Okta-Verification-Challenge": "c1"}, true, `{"verification":"c1"}`, nil},
		{
			"CloudEvents", "OPTIONS", "", "", headers{"WebHook-Request-Origin": "b.example.com", "WebHook-Request-Rate": "60"}, true, "",
			headers{"WebHook-Allowed-Origin": "b.example.com", "WebHook-Allowed-Rate": "60", "Allow": "POST"},
		},
		{
			"CloudEvents, more than allowed", "OPTIONS", "", "",
			headers{"WebHook-Request-Origin": "a.example.com", "WebHook-Request-Rate": "1000", "WebHook-Request-Callback": "https://a.example.com/?x"}, true, "",
			headers{"WebHook-Allowed-Origin": "a.example.com", "WebHook-Allowed-Rate": "120"},
		},
		{"CloudEvents, somebody else", "OPTIONS", "", "", headers{"WebHook-Request-Origin": "c.example.com"}, false, "", nil},
		{"CloudEvents, nobody", "OPTIONS", "", "", nil, false, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := mapping.Delivery{Method: c.method, URL: &url.URL{Path: "/webhooks/crm", RawQuery: c.query}, Header: http.Header{}, Body: []byte(c.body), Received: received}
			for name, value := range c.sent {
				d.Header.Set(name, value)
			}
			reply, ok := source.Challenge(d)
			if ok != c.want || string(reply.Body) != c.wantBody {
				t.Fatalf("got %v, %q", ok, reply.Body)
			}
			for name, value := range c.wantHeaders {
				if reply.Header.Get(name) != value {
					t.Errorf("%s: got %q, want %q", name, reply.Header.Get(name), value)
				}
			}
			if ok && (reply.Status != http.StatusOK || (reply.ContentType == "") != (c.wantBody == "")) {
				t.Errorf("got %d %s", reply.Status, reply.ContentType)
			}
		})
	}
}

func TestASourceWithoutHandshakesHasNone(t *testing.T) {
	t.Parallel()
	source := challengeSource(t, `sources: {crm: {preset: generic, verify: {kind: token, header: A, values: ["${SECRET}"]}}}`)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
		if _, ok := source.Challenge(mapping.Delivery{Method: method, Header: http.Header{}}); ok || source.Handshakes(method) {
			t.Errorf("it answers %s", method)
		}
	}
}

func TestATokenThatIsNotKnownOpensNothing(t *testing.T) {
	t.Parallel()
	c, err := mapping.Parse("callbridge.yaml", []byte(challengeConfig), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := c.Source("crm")
	for _, token := range []string{"", "without-secrets"} {
		u := &url.URL{RawQuery: "hub.mode=subscribe&hub.challenge=1&hub.verify_token=" + token}
		if _, ok := source.Challenge(mapping.Delivery{Method: "GET", URL: u, Header: http.Header{}}); ok {
			t.Errorf("%q is answered", token)
		}
	}
}

func TestIgnoredDeliveriesAreVerifiedAndHaveNoEvent(t *testing.T) {
	t.Parallel()
	source := challengeSource(t, challengeConfig)
	events, err := source.Receive(delivery(`{"topic": "ping", "id": null}`, "X-Api-Key", "open SECRET"))
	if err != nil || len(events) != 0 {
		t.Errorf("a ping: %d events, %v", len(events), err)
	}
	if _, err := source.Receive(delivery(`{"topic": "ping"}`, "X-Api-Key", "wrong")); err == nil {
		t.Error("a ping of anybody is taken")
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
		"challenge: {kind: query_echo, mode_param: a, mode: b, token_param: c, echo_param: d, token: plain}": "challenge.token: a secret must not stand in this file",
		"keep: {a: b}":                     `keep: needs "split"`,
		"split: a[*]\n    keep: {item: b}": `keep: the name "item" is taken`,
		"hide: 'a[0]'":                     "hide: is no name of a member",
	} {
		config := "sources:\n  crm:\n    preset: generic\n    verify: {kind: token, header: A, values: [\"${SECRET}\"]}\n    " + text + "\n"
		_, err := mapping.Parse("callbridge.yaml", []byte(config), withSecret())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
