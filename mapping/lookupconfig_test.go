package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"callbridge/mapping"
	"callbridge/mapping/lookups"
)

// lookupSource has a valid lookup; each case of the table breaks one part of it.
const lookupSource = `sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    key: body:id
    params: {company: acme}
    lookup:
      when: object_id != ""
      method: POST
      url: https://{{params.company}}.example.com/c/{{object_id}}
      headers: {Version: "1"}
      body: '{"id": "{{object_id}}"}'
      auth: {kind: bearer, token: "${SECRET}"}
      hosts: ["{{params.company}}.example.com"]
      rate: 9
      timeout: 2m
    fields:
      object_id: {path: object}
      phone: {path: "lookup:phone", type: phone}
routes:
  - {name: lead, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone}}
`

func TestLookupsAreCheckedAtLoad(t *testing.T) {
	t.Parallel()
	if _, err := mapping.Parse("callbridge.yaml", []byte(lookupSource), withSecret()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []problemCase{
		{"unknown key", "rate: 9", "rates: 9", `callbridge.yaml:14:7: sources.crm.lookup: unknown key "rates"; did you mean "rate"?`},
		{"host not named", `["{{params.company}}.example.com"]`, "[api.example.com]", `9:12: sources.crm.lookup.url: the host acme.example.com is not one of hosts`},
		{"host from the event", "https://{{params.company}}.example", "https://{{object_id}}.example", `9:12: sources.crm.lookup.url: an event must not choose the host; only {{params.name}} is allowed there`},
		{"host from the event, past a slash", "https://{{params.company}}.example.com/c/", "https://{{object_id}}/", `an event must not choose the host`},
		{"unknown param", "params: {company: acme}", "params: {firm: acme}", `the lookup needs its param "company"; add params: {company: …}`},
		{"param that leads elsewhere", "params: {company: acme}", "params: {company: evil.org/}", `a param is a-z, 0-9, - and single dots`},
		{"no https", "https://", "http://", `must begin with https://`},
		{"user in the URL", "https://{{params", "https://me@{{params", `must be a URL without user and fragment`},
		{"secret in the URL", "{{object_id}}\n      headers", "{{object_id}}?api_token=x\n      headers", `a secret must not be in the URL; write auth: {kind: query, name: api_token, value: "${NAME}"}`},
		{"secret in a header", "headers: {Version", "headers: {X-Api-Token", `a secret must not be among the headers`},
		{"header that is none", "headers: {Version", "headers: {\"Ver sion\"", `"Ver sion" is not a header name`},
		{"literal secret", `token: "${SECRET}"}`, `token: hunter2}`, `a secret must not be written in this file`},
		{"reference where none belongs", `"{{params.company}}.example.com"]`, `"${HOST}"]`, `${…} is only for secrets`},
		{"unknown kind of auth", "kind: bearer", "kind: bear", `"bear" is not allowed here; did you mean "bearer"?`},
		{"auth without its secret", `kind: bearer, token: "${SECRET}"`, "kind: bearer", `"token" is missing for bearer`},
		{"key of another kind", "kind: bearer,", "kind: bearer, scope: x,", `"scope" is not for bearer`},
		{"undeclared field in the URL", "/c/{{object_id}}", "/c/{{objekt_id}}", `undeclared name "objekt_id"`},
		{"answer asks for itself", "/c/{{object_id}}", "/c/{{phone}}", `"phone" is not known before the lookup`},
		{"rule over the answer", `when: object_id != ""`, `when: phone != ""`, `"phone" is not known before the lookup`},
		{"presence of the answer", `when: object_id != ""`, `when: present(phone)`, `"phone" is not known before the lookup`},
		{"unless over the answer", "rate: 9", "unless: phone", `"phone" is not known before the lookup`},
		{"bare tag in a body", `"{{object_id}}"}'`, `{{object_id}}}'`, `must be JSON, with every {{field}} inside of quotes`},
		{"body of a GET", "method: POST", "method: GET", `only a POST has a body`},
		{"rate", "rate: 9", "rate: 0", `must be a number above 0 and up to 1000`},
		{"timeout", "timeout: 2m", "timeout: 48h", `must be a duration above 0 and up to 24h0m0s`},
		{"coalesce", "timeout: 2m", "coalesce: soon", `must be a duration above 0 and up to 1m0s`},
		{"key from the answer", "key: body:id", "key: lookup:id", `the key has to be known before the lookup`},
		{"version from the answer", "key: body:id", "key: body:id\n    version: lookup:rev", `the version has to be known before the lookup`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(lookupSource, c.old) == 0 {
				t.Fatalf("the text has no %q", c.old)
			}
			_, err := mapping.Parse("callbridge.yaml", []byte(strings.Replace(lookupSource, c.old, c.new, 1)), withSecret())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestFieldOfALookupNeedsALookup(t *testing.T) {
	t.Parallel()
	a, b := strings.Index(lookupSource, "    lookup:"), strings.Index(lookupSource, "    fields:")
	_, err := mapping.Parse("callbridge.yaml", []byte(lookupSource[:a]+lookupSource[b:]), withSecret())
	if err == nil || !strings.Contains(err.Error(), `"phone" is read from a lookup, and the source has none`) {
		t.Errorf("got %v", err)
	}
}

func TestSourceBringsItsOwnAuth(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]lookups.Auth{
		`{kind: header, name: X-Token, prefix: "Token token=", value: "${SECRET}"}`: {Kind: "header", Name: "X-Token", Prefix: "Token token=", Value: "open sesame", HeaderScheme: "Bearer"},
		`{kind: basic, user: "${SECRET}"}`:                                          {Kind: "basic", User: "open sesame", HeaderScheme: "Bearer"},
		`{kind: basic, user: me/token, password: "${SECRET}"}`:                      {Kind: "basic", User: "me/token", Password: "open sesame", HeaderScheme: "Bearer"},
		`{kind: query, name: access_token, value: "${SECRET}"}`:                     {Kind: "query", Name: "access_token", Value: "open sesame", HeaderScheme: "Bearer"},
		`{kind: oauth, token_url: "https://id.example.com/{{params.company}}/token", client_id: app, client_secret: "${SECRET}", refresh_token: "${SECRET}", header_scheme: Zoho-oauthtoken}`: {
			Kind: "oauth", TokenURL: "https://id.example.com/acme/token", ClientID: "app", ClientSecret: "open sesame", RefreshToken: "open sesame", HeaderScheme: "Zoho-oauthtoken",
		},
	} {
		text := strings.Replace(lookupSource, "    params:", "    auth: "+auth+"\n    params:", 1)
		config := parse(t, text)
		q, ok := config.Lookup(read(t, config, "crm", "application/json", `{"id":1,"object":5}`)[0])
		if !ok || q.Auth != want {
			t.Errorf("%s: %v %t", auth, q, q.Auth == want)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s", q.Auth, q.Auth, q.Auth, q.Auth.Value); strings.Contains(shown, "sesame") {
			t.Errorf("the secret is shown: %s", shown)
		}
	}
}
