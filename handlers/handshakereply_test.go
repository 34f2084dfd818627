package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbridge/mapping"
)

const handshakeConfig = `sources:
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

func handshakeSource(t testing.TB, config string) *mapping.Source {
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

func TestHandshakesAreAnsweredAsEachCRMExpects(t *testing.T) {
	t.Parallel()
	source := handshakeSource(t, handshakeConfig)
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
		{"CloudEvents, another origin", "OPTIONS", "", "", headers{"WebHook-Request-Origin": "c.example.com"}, false, "", nil},
		{"CloudEvents, no origin", "OPTIONS", "", "", nil, false, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := mapping.Delivery{Method: c.method, URL: &url.URL{Path: "/webhooks/crm", RawQuery: c.query}, Header: http.Header{}, Body: []byte(c.body), Received: time.Now()}
			for name, value := range c.sent {
				d.Header.Set(name, value)
			}
			reply, ok := answerHandshake(source.Handshakes(), d)
			if ok != c.want || string(reply.body) != c.wantBody {
				t.Fatalf("got %v, %q", ok, reply.body)
			}
			for name, value := range c.wantHeaders {
				if reply.header.Get(name) != value {
					t.Errorf("%s: got %q, want %q", name, reply.header.Get(name), value)
				}
			}
			if ok && (reply.status != http.StatusOK || (reply.contentType == "") != (c.wantBody == "")) {
				t.Errorf("got %d %s", reply.status, reply.contentType)
			}
		})
	}
}

func TestASourceWithoutHandshakesAnswersNone(t *testing.T) {
	t.Parallel()
	source := handshakeSource(t, `sources: {crm: {preset: generic, verify: {kind: token, header: A, values: ["${SECRET}"]}}}`)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
		if _, ok := answerHandshake(source.Handshakes(), mapping.Delivery{Method: method, URL: &url.URL{}, Header: http.Header{}}); ok || hasHandshake(source.Handshakes(), method) {
			t.Errorf("it answers %s", method)
		}
	}
}

func TestNoTokenIsAcceptedWithoutSecrets(t *testing.T) {
	t.Parallel()
	c, err := mapping.Parse("callbridge.yaml", []byte(handshakeConfig), mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := c.Source("crm")
	for _, token := range []string{"", "without-secrets"} {
		u := &url.URL{RawQuery: "hub.mode=subscribe&hub.challenge=1&hub.verify_token=" + token}
		if _, ok := answerHandshake(source.Handshakes(), mapping.Delivery{Method: "GET", URL: u, Header: http.Header{}}); ok {
			t.Errorf("%q is answered", token)
		}
	}
}
