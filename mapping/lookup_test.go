package mapping_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/lookups"
)

// lookupYAML has a source whose webhooks have an id, and sometimes a number.
const lookupYAML = `
sources:
  crm:
    verify: {kind: token, header: X-Api-Key, values: ["${SECRET}"]}
    split: events[*]
    key: body:id
    type: [body:type, lookup:kind]
    time: [body:at, lookup:changed]
    version: body:rev
    params: {company: acme}
    lookup:
      - when: type.startsWith("contact.") || !present(type)
        unless: phone
        url: "https://{{params.company}}.example.com/contacts/{{object_id}}?fields=phone&near={{city}}"
        headers: {Version: "2021-07-28"}
        auth: {kind: bearer, token: "${SECRET}"}
        hosts: ["{{params.company}}.example.com"]
        rate: 9
        timeout: 3m
        coalesce: 3s
      - when: type == "item"
        method: POST
        url: https://api.example.com/graphql
        body: '{"query": "{ items }", "variables": {"id": "{{object_id}}"}}'
        error_path: errors
    fields:
      object_id: {path: object, optional: true}
      city: {path: city, default: here}
      tenant: {path: "header:X-Tenant", optional: true}
      portal: {path: "root:portal", type: number, optional: true}
      score: {path: score, type: number, optional: true}
      phone: {path: [phone, "lookup:contact.phone"], type: phone, country: "lookup:contact.country"}
      first_name: {path: "lookup:contact.name", optional: true}
routes:
  - name: call
    source: crm
    mode: live
    purpose: service
    policy: {countries: [US, GB]}
    when: type != "contact.deletion" && !(present(score) && score < 5)
    call: {call_to: phone, notes: "{{first_name|there}} {{tenant|-}} {{portal|-}}"}
`

func lookupConfig(t testing.TB) *mapping.Config {
	t.Helper()
	config, err := mapping.Parse("callbridge.yaml", []byte(lookupYAML), withSecret())
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// one is one event in a delivery.
func one(t testing.TB, config *mapping.Config, body string) mapping.Incoming {
	t.Helper()
	return readWith(t, config, "crm", `{"portal": 77, "events": [`+body+`]}`, "X-Tenant", "north")[0]
}

func TestLookupIsMadeOnlyWhereSomethingHangsOnIt(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	for _, c := range []struct {
		name, body string
		want       bool
	}{
		{"an id alone", `{"id":1,"type":"contact.creation","object":5}`, true},
		{"no type before the lookup", `{"id":1,"object":5}`, true},
		{"another list entry", `{"id":1,"type":"item","object":5}`, true},
		{"a type that asks nothing", `{"id":1,"type":"deal","object":5}`, false},
		{"what no route wants", `{"id":1,"type":"contact.deletion","object":5}`, false},
		{"what a known field rules out", `{"id":1,"type":"contact.creation","object":5,"score":3}`, false},
		{"the number is there", `{"id":1,"type":"contact.creation","object":5,"phone":"+12025550142"}`, false},
		{"nothing to ask by", `{"id":1,"type":"contact.creation"}`, false},
		{"an id that leads elsewhere", `{"id":1,"type":"contact.creation","object":".."}`, false},
		{"no key", `{"type":"contact.creation","object":5}`, false},
	} {
		if _, got := config.Lookup(one(t, config, c.body)); got != c.want {
			t.Errorf("%s: a lookup is made: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestLookupRequestIsWhatTheSourceSays(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	q, ok := config.Lookup(one(t, config, `{"id":1,"type":"contact.creation","object":"a.5:x","city":"São Paulo+1@b.c","rev":7}`))
	if !ok {
		t.Fatal("no lookup")
	}
	if want := "https://acme.example.com/contacts/a.5:x?fields=phone&near=S%C3%A3o+Paulo%2B1%40b.c"; q.URL != want {
		t.Errorf("URL %s, want %s", q.URL, want)
	}
	if q.Method != "GET" || q.Header.Get("Version") != "2021-07-28" || q.Auth.Token.Reveal() != "open sesame" ||
		len(q.Hosts) != 1 || q.Hosts[0] != "acme.example.com" || q.Rate != 9 || q.Timeout != 3*time.Minute ||
		q.Coalesce != 3*time.Second || q.Version != "7" {
		t.Errorf("%+v", q)
	}
	q, ok = config.Lookup(one(t, config, `{"id":1,"type":"item","object":"5\", \"admin\": \"x"}`))
	var body struct{ Variables map[string]string }
	if !ok || json.Unmarshal(q.Body, &body) != nil || len(body.Variables) != 1 || body.Variables["id"] != `5", "admin": "x` {
		t.Errorf("body %s", q.Body)
	}
}

func TestAnswerFillsFieldsTypeAndTime(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	in, err := one(t, config, `{"id":1,"object":5}`).WithLookup([]byte(
		`{"kind":"contact.creation","changed":"2026-11-23T09:30:00Z","contact":{"phone":"020 7946 0123","country":"GB","name":"Ada"}}`), "application/json")
	if err != nil {
		t.Fatal(err)
	}
	if _, again := config.Lookup(in); again {
		t.Error("a lookup is asked for once more")
	}
	d := config.Map(in)[0]
	if d.Request == nil || d.To != "+442079460123" {
		t.Fatalf("%+v", d.Result)
	}
	if e := d.Request.Event; e.Type != "contact.creation" || e.Time.Hour() != 9 {
		t.Errorf("type %q, time %s", e.Type, e.Time)
	}
	if !strings.Contains(string(d.Request.Call), `"notes":"Ada north 77"`) {
		t.Errorf("call %s", d.Request.Call)
	}
}

func TestEventThatWaitedIsMappedAsIfItHadNot(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	in := one(t, config, `{"id":12345678901234567890,"type":"contact.creation","object":5}`)
	p, err := config.Suspend(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "open sesame") {
		t.Errorf("a secret waits on the bus: %s", text)
	}
	var stored event.Pending
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	resumed, err := mapping.Resume(stored)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := config.Lookup(in)
	second, ok := config.Lookup(resumed)
	if !ok || first.URL != second.URL || first.Object != second.Object {
		t.Fatalf("%+v, want %+v", second, first)
	}
	const answer = `{"contact":{"phone":"+12025550142"}}`
	for _, in := range []*mapping.Incoming{&in, &resumed} {
		if *in, err = in.WithLookup([]byte(answer), "application/json"); err != nil {
			t.Fatal(err)
		}
	}
	want, got := config.Map(in)[0], config.Map(resumed)[0]
	if want.Request == nil || got.Request == nil || string(want.Request.Call) != string(got.Request.Call) || want.Request.ID != got.Request.ID {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWithoutItsLookupAnEventMakesNoCall(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	for body, detail := range map[string]string{
		`{"id":1,"type":"contact.creation","object":5}`:    "waits for the lookup",
		`{"id":1,"type":"contact.creation"}`:               "no lookup: object_id",
		`{"id":1,"type":"deal","object":5}`:                "asks none for such an event",
		`{"id":1,"type":"contact.creation","object":"\n"}`: "no lookup: object_id",
	} {
		d := config.Map(one(t, config, body))[0]
		if d.Result == nil || d.Result.Reason != event.ReasonMissingField || d.Result.Field != "phone" || !strings.Contains(d.Result.Detail, detail) {
			t.Errorf("%s: %+v, want phone missing: %s", body, d.Result, detail)
		}
	}
}

func TestAnswerWithoutTheFieldIsRejected(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	in, err := one(t, config, `{"id":1,"type":"contact.creation","object":5}`).WithLookup([]byte(`{"contact":{"phone":null}}`), "")
	if err != nil {
		t.Fatal(err)
	}
	if d := config.Map(in)[0]; d.Result == nil || d.Result.Reason != event.ReasonMissingField || d.Result.Field != "phone" {
		t.Errorf("%+v", d.Result)
	}
}

func TestGraphQLErrorIsSeenDespiteItsStatus(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	in := one(t, config, `{"id":1,"type":"item","object":5}`)
	q, _ := config.Lookup(in)
	for answer, want := range map[string]bool{
		`{"errors":[{"message":"no"}]}`: true, `{"errors":[],"data":{}}`: false, `{"data":{}}`: false, `{"errors":null}`: false,
	} {
		looked, err := in.WithLookup([]byte(answer), "application/json")
		if err != nil {
			t.Fatal(err)
		}
		if got := looked.LookupProblem(q) != ""; got != want {
			t.Errorf("%s is a problem: %t, want %t", answer, got, want)
		}
	}
}

func TestExplainTellsOfTheLookup(t *testing.T) {
	t.Parallel()
	config := lookupConfig(t)
	in := one(t, config, `{"id":1,"type":"contact.creation","object":5}`)
	x := config.Explain(in)
	if x.Lookup == nil || x.Lookup.State != "awaited" || !strings.HasPrefix(x.Lookup.URL, "https://acme.example.com/contacts/5?") {
		t.Errorf("before: %+v", x.Lookup)
	}
	states := map[string]string{}
	for _, f := range x.Fields {
		states[f.Name] = f.State
	}
	if states["phone"] != "awaited" || states["first_name"] != "awaited" || states["object_id"] != "there" {
		t.Errorf("before: %v", states)
	}
	in, err := in.WithLookup([]byte(`{"contact":{"phone":"+12025550142"}}`), "application/json")
	if err != nil {
		t.Fatal(err)
	}
	if x := config.Explain(in); x.Lookup == nil || x.Lookup.State != "made" || x.Decisions[0].Outcome != "requested" {
		t.Errorf("after: %+v %+v", x.Lookup, x.Decisions)
	}
	if x := config.Explain(one(t, config, `{"id":1,"type":"contact.deletion","object":5}`)); x.Lookup == nil || x.Lookup.State != "needless" {
		t.Errorf("unwanted: %+v", x.Lookup)
	}
}

func TestOlderNeedsTwoOfAKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, than string
		want          bool
	}{
		{"9", "10", true}, {"10", "9", false}, {"10", "10", false}, {"1795426200000", "1795426200001", true},
		{"12345678901234567890", "12345678901234567891", true}, {"1.5", "1.25", false},
		{"2026-11-23T09:30:00Z", "2026-11-23T10:00:00+01:00", false}, {"2026-11-23T08:30:00Z", "2026-11-23T10:00:00+01:00", true},
		{"9", "2026-11-23T09:30:00Z", false}, {"a", "b", false}, {"", "1", false}, {"1", "", false}, {"1e9", "2e9999999", false},
	} {
		if got := lookups.Older(c.version, c.than); got != c.want {
			t.Errorf("Older(%q, %q) = %t, want %t", c.version, c.than, got, c.want)
		}
	}
}

func FuzzLookupNeverLeavesItsPlace(f *testing.F) {
	config := lookupConfig(f)
	f.Add("5", "here")
	f.Add("../../admin", "x&fields=all#")
	f.Add("..", "\u2028")
	f.Add("a@evil.example.com", "?")
	f.Fuzz(func(t *testing.T, object, city string) {
		body, err := json.Marshal(map[string]string{"id": "1", "type": "contact.creation", "object": object, "city": city})
		if err != nil {
			t.Fatal(err)
		}
		q, ok := config.Lookup(one(t, config, string(body)))
		if !ok {
			return
		}
		u := parseURL(t, q.URL)
		if u.Host != "acme.example.com" || strings.Count(u.EscapedPath(), "/") != 2 || len(u.Query()) != 2 || u.Fragment != "" ||
			u.JoinPath().EscapedPath() != u.EscapedPath() {
			t.Errorf("%q and %q ask %s", object, city, q.URL)
		}
	})
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
