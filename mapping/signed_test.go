package mapping_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/mapping"
	"callbridge/mapping/payload"
	"callbridge/mapping/sources"
	"callbridge/signature"
)

// presetCoverage is what the verifiers of a preset sign.
func presetCoverage(t *testing.T, s sender) signature.Coverage {
	t.Helper()
	return signature.CoverageOf(s.verify)
}

// replay is a delivery as somebody sends it who recorded one: the same body and proof,
// and everything changed that they do not cover.
func replay(d mapping.Delivery, covered signature.Coverage) mapping.Delivery {
	header := d.Header.Clone()
	for _, name := range []string{
		"Idempotency-Key", "X-Zendesk-Webhook-Invocation-Id", "Shopify-Topic", "X-Shopify-Topic", "Shopify-Webhook-Id",
		"X-Shopify-Webhook-Id", "X-Shopify-Shop-Domain", "Webhook-Id", "Svix-Id", "X-Request-Id", "Ce-Id", "Ce-Source", "Ce-Type", "Date",
	} {
		if !covered.Covers(signature.Part{Header: name}) {
			header.Set(name, "another")
		}
	}
	if strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		header.Set("Content-Type", "application/json; charset=iso-8859-1")
	}
	d.Header = header
	if !covered.Covers(signature.Part{Query: "*"}) {
		u := *d.URL
		u.RawQuery += "&id=another&event_id=another"
		d.URL = &u
	}
	return d
}

// TestARecordedWebhookIsTheSameEventWhateverIsChanged: one webhook of a preset that
// signs, sent again with other ids, is the same event with the same decision.
func TestARecordedWebhookIsTheSameEventWhateverIsChanged(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, c := range presetCases(t) {
		config, source := loadPreset(t, c.preset)
		s := newSender(t, c.preset, presetSecret(c.preset, "SECRET"))
		covered := presetCoverage(t, s)
		if !covered.Signs {
			continue // a token speaks for the whole request
		}
		tried++
		sent := s.send(t, c.body, c.header, received)
		first, err := source.Receive(sent)
		if err != nil {
			t.Fatal(err)
		}
		again, err := source.Receive(replay(sent, covered))
		if err != nil || len(again) != len(first) {
			t.Fatalf("%s/%s: %d events, want %d (%v)", c.preset, c.name, len(again), len(first), err)
		}
		for i := range first {
			a, b := first[i].Event, again[i].Event
			if a.ID != b.ID || a.Type != b.Type || !a.Time.Equal(b.Time) {
				t.Errorf("%s/%s: %s %s became %s %s", c.preset, c.name, a.Key, a.Type, b.Key, b.Type)
			}
			if x, y := outcomeOf(config.Map(first[i])[0]), outcomeOf(config.Map(again[i])[0]); x.Outcome != y.Outcome {
				t.Errorf("%s/%s: %s became %s", c.preset, c.name, x.Outcome, y.Outcome)
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d deliveries tried, want those of all presets that sign", tried)
	}
}

// withoutEnd are the presets whose signature has no time and whose body has none
// either. Their pages say that a recorded webhook is accepted again after RETENTION.
var withoutEnd = []string{"attio", "hubspot-workflow"}

// TestARecordedWebhookHasAnEnd: a signature without a time is valid for ever, so that
// the time in the body has to end it while duplicates are still known: RETENTION is
// at least 96 hours.
func TestARecordedWebhookHasAnEnd(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.All() {
		s := newSender(t, preset.Name, presetSecret(preset.Name, "SECRET"))
		var keys struct {
			Verify yaml.Node     `yaml:"verify"`
			MaxAge time.Duration `yaml:"max_age"`
		}
		if err := yaml.Unmarshal([]byte(preset.YAML), &keys); err != nil {
			t.Fatal(err)
		}
		dated := strings.Contains(preset.YAML, "tolerance:") && preset.Name != "hubspot" // whose version 1 has no time
		if !presetCoverage(t, s).Signs || dated {
			continue
		}
		says := strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(preset.YAML, "#", "")), " "), "recorded webhook is accepted again after RETENTION")
		bounded := keys.MaxAge > 0 && keys.MaxAge <= 96*time.Hour
		if exception := slices.Contains(withoutEnd, preset.Name); bounded == exception || says != exception {
			t.Errorf("%s: max_age %s, says that a recording is accepted again: %t", preset.Name, keys.MaxAge, says)
		}
	}
}

func TestNoPresetWarnsOfItself(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.Names() {
		config, _ := loadPreset(t, preset)
		for _, w := range config.Warnings() {
			if strings.Contains(w.Text, "signature does not cover") {
				t.Errorf("%s: %s", preset, w.Error())
			}
		}
	}
}

// TestAnUpdateOfShopifyPassesForNoCreation: the topic is a header that is not signed.
func TestAnUpdateOfShopifyPassesForNoCreation(t *testing.T) {
	t.Parallel()
	text := strings.Replace(presetConfig("shopify"), "source: crm,", `source: crm, when: 'resource.startsWith("gid://shopify/Customer/")',`, 1)
	config := parse(t, strings.ReplaceAll(text, `, "${OTHER}"`, ""))
	source, _ := config.Source("crm")
	send := func(topic, updated, created string) mapping.Decision {
		body := fmt.Sprintf(`{"admin_graphql_api_id":"gid://shopify/Customer/1","phone":"+12025550142","created_at":%q,"updated_at":%q}`, created, updated)
		header := http.Header{"Content-Type": {"application/json"}, "X-Shopify-Topic": {topic}}
		events, err := source.Receive(newSender(t, "shopify", "open sesame").send(t, body, header, received))
		if err != nil {
			t.Fatal(err)
		}
		return config.Map(events[0])[0]
	}
	recent, longAgo := received.Add(-time.Minute).Format(time.RFC3339), received.Add(-100*time.Hour).Format(time.RFC3339)
	created := send("customers/create", recent, recent)
	if created.Request == nil {
		t.Fatalf("a creation makes no call: %+v", created.Result)
	}
	for _, topic := range []string{"customers/create", "customers/update", "orders/create", ""} {
		if old := send(topic, recent, longAgo); old.Result == nil || old.Result.Reason != "too_old" {
			t.Errorf("an update of an old customer as %q: %+v, want too_old", topic, old)
		}
		if d := send(topic, received.Format(time.RFC3339), recent); d.Request == nil || d.Request.ID != created.Request.ID {
			t.Errorf("an update of the new customer as %q is another request", topic)
		}
	}
}

// signedSource is a source of one's own with a signature over its body.
func signedSource(keys string) string {
	return `sources:
  crm:
    verify: {kind: hmac, hash: sha256, header: X-Signature, encoding: hex, keys: ["${SECRET}"]}
    fields:
      phone: {path: phone, type: phone}
      stage: {path: "header:X-Stage", optional: true}
      shop: {path: "header:X-Shop", optional: true}
    ` + keys + `
routes:
  - {name: all, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone, notes: "{{shop|}}"}}
`
}

// signedDelivery is a delivery whose body is signed.
func signedDelivery(t testing.TB, body, query string, header http.Header) mapping.Delivery {
	t.Helper()
	d := mapping.Delivery{
		Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/crm", RawQuery: query}, Header: header.Clone(),
		Body: []byte(body), Received: received,
	}
	if d.Header == nil {
		d.Header = http.Header{}
	}
	if d.Header.Get("Content-Type") == "" {
		d.Header.Set("Content-Type", "application/json")
	}
	made, err := signature.Sign(signature.Config{
		Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Encoding: "hex", Keys: signature.Secrets{longSecret},
	}, signature.Request{Method: d.Method, URI: d.URL.RequestURI(), Header: d.Header, Body: d.Body}, received)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range made {
		d.Header[name] = values
	}
	return d
}

func keyOf(t testing.TB, source *mapping.Source, d mapping.Delivery) string {
	t.Helper()
	events, err := source.Receive(d)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events (%v)", len(events), err)
	}
	if events[0].Err != nil {
		return "none"
	}
	return events[0].Event.Key
}

func TestOnlySignedPartsMakeTheKey(t *testing.T) {
	t.Parallel()
	const body = `{"id": "b1", "phone": "+12025550142"}`
	digest := keyOf(t, source(t, signedSource("key: sha256:body")), signedDelivery(t, body, "", nil))
	for keys, want := range map[string]string{
		`key: header:X-Id`:                           digest,
		`key: "query:id"`:                            digest,
		`key: [header:X-Id, body:id]`:                "b1",
		`key: [[header:X-Topic, body:id], body:id]`:  "b1",
		`key: [["header:X-Topic?", body:id]]`:        `[null,"b1"]`,
		`key: [[header:X-Id, body:id]]`:              digest,
		`key: [header:X-Absent, body:gone]`:          "none",
		`key: [body:id, header:X-Id]`:                "b1",
		`key: [body:gone, header:X-Id, sha256:body]`: digest,
	} {
		s := source(t, signedSource(keys))
		for _, id := range []string{"1", "2"} {
			got := keyOf(t, s, signedDelivery(t, body, "id="+id, http.Header{"X-Id": {id}, "X-Topic": {id}}))
			if got != want {
				t.Errorf("%s: the key is %s, want %s", keys, got, want)
			}
		}
	}
	token := strings.Replace(signedSource("key: header:X-Id"), `{kind: hmac, hash: sha256, header: X-Signature, encoding: hex, keys:`, `{kind: token, header: X-Signature, values:`, 1)
	d := signedDelivery(t, body, "", http.Header{"X-Id": {"7"}})
	d.Header.Set("X-Signature", longSecret)
	if got := keyOf(t, source(t, token), d); got != "7" {
		t.Errorf("with a token: the key is %s, want the header", got)
	}
}

func source(t testing.TB, text string) *mapping.Source {
	t.Helper()
	s, _ := parseWith(t, text, longSecret).Source("crm")
	return s
}

// TestCheckWarnsWhereUnsignedPartsDecide: the key, the type, what a rule or call_to
// uses, the time of max_age; not what only a text uses.
func TestCheckWarnsWhereUnsignedPartsDecide(t *testing.T) {
	t.Parallel()
	const covers = ", which the signature does not cover: whoever records a webhook can change it; "
	base := signedSource("key: body:id")
	withRule := func(text, rule string) string {
		return strings.Replace(text, "source: crm,", "source: crm, when: '"+rule+"',", 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a text only":            {base, ""},
		"key in a header":        {signedSource("key: header:X-Id"), "key reads header X-Id" + covers},
		"key in the query":       {signedSource(`key: ["query:id"]`), "key reads query parameter id" + covers},
		"part of a key":          {signedSource("key: [[header:X-Id, body:id]]"), "key reads header X-Id" + covers},
		"type that a rule uses":  {withRule(signedSource("key: body:id\n    type: header:X-Topic"), `type == "a"`), "type reads header X-Topic" + covers},
		"type that no rule uses": {signedSource("key: body:id\n    type: header:X-Topic"), ""},
		"field of a rule":        {withRule(base, `stage == "won"`), "stage reads header X-Stage" + covers},
		"field in present()":     {withRule(base, `present(stage)`), "stage reads header X-Stage" + covers},
		"the number":             {strings.Replace(base, "{path: phone, type: phone}", `{path: "header:X-Phone", type: phone}`, 1), "phone reads header X-Phone" + covers},
		"time of max_age":        {signedSource("key: body:id\n    time: header:X-Time\n    max_age: 24h"), "time reads header X-Time" + covers},
		"time without max_age":   {signedSource("key: body:id\n    time: header:X-Time"), ""},
		"version":                {signedSource("key: body:id\n    version: header:X-Version"), "version reads header X-Version" + covers},
		"field of a lookup": {signedSource("key: body:id\n    lookup: {url: \"https://crm.example.com/{{stage}}\", auth: {kind: bearer, token: \"${SECRET}\"}}"),
			"stage reads header X-Stage" + covers},
		"a token":         {strings.Replace(signedSource("key: header:X-Id"), `{kind: hmac, hash: sha256, header: X-Signature, encoding: hex, keys:`, `{kind: token, header: X-Token, values:`, 1), ""},
		"a signed header": {strings.Replace(signedSource("key: header:X-Id"), `keys: ["`, `signed: "{header:X-Id}.{body}", keys: ["`, 1), ""},
		"the body": {strings.Replace(base, `keys: ["`, `signed: "{header:X-Id}", allow_unsigned_body: true, keys: ["`, 1),
			"the signature does not cover the body: whoever records a webhook can send any other body with it"},
	} {
		got := ""
		for _, w := range parseWith(t, c.text, longSecret).Warnings() {
			if w.Path == "sources.crm" {
				got += w.Error() + "\n"
			}
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestASignedBodyHasOneReading: the charset stands in a header that is not signed.
func TestASignedBodyHasOneReading(t *testing.T) {
	t.Parallel()
	s := source(t, signedSource("key: sha256:body"))
	utf8 := keyOf(t, s, signedDelivery(t, `{"name":"Zoë","phone":"+12025550142"}`, "", nil))
	for _, contentType := range []string{"application/json; charset=iso-8859-1", "application/json;charset=windows-1252", "text/json; charset=utf-8"} {
		d := signedDelivery(t, `{"name":"Zoë","phone":"+12025550142"}`, "", http.Header{"Content-Type": {contentType}})
		if got := keyOf(t, s, d); got != utf8 {
			t.Errorf("%s: another event", contentType)
		}
	}
	latin := signedDelivery(t, "{\"name\":\"Zo\xeb\"}", "", http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}})
	if events, err := s.Receive(latin); err != nil || !strings.Contains(string(events[0].Event.Data), "Zoë") {
		t.Errorf("a body in its own charset: %v", err)
	}
}

// TestABinaryCloudEventNeedsSignedAttributes: its id is a header.
func TestABinaryCloudEventNeedsSignedAttributes(t *testing.T) {
	t.Parallel()
	text := strings.Replace(signedSource("body: cloudevents\n    split: \"[*]\"\n    key: [[body:source, body:id]]"), "path: phone,", "path: data.phone,", 1)
	header := http.Header{"Ce-Id": {"1"}, "Ce-Source": {"s"}, "Ce-Type": {"t"}, "Ce-Specversion": {"1.0"}}
	events, err := source(t, text).Receive(signedDelivery(t, `{"phone":"+12025550142"}`, "", header))
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) || events != nil {
		t.Errorf("%d events (%v), and its attributes are not signed", len(events), err)
	}
	structured := `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"phone":"+12025550142"}}`
	d := signedDelivery(t, structured, "", http.Header{"Content-Type": {"application/cloudevents+json"}})
	if got := keyOf(t, source(t, text), d); got != `["s","1"]` {
		t.Errorf("structured: the key is %s", got)
	}
}

// marked is a token that no stored text may contain, in any form.
const marked = "MARKED-token-that-verifies"

// TestWhatVerifiesIsNeverKept sends a marked token in each place that a verifier
// knows, and searches everything that is stored or shown of the event for it.
func TestWhatVerifiesIsNeverKept(t *testing.T) {
	t.Parallel()
	type sent struct {
		verify, keys, body, query string
		header                    http.Header
	}
	jsonBody := `{"id":"1","phone":"+12025550142","a":{"b":"x"}}`
	for name, c := range map[string]sent{
		"in a header":                 {verify: `{kind: token, header: X-Token}`, body: jsonBody, header: http.Header{"X-Token": {marked}}},
		"as a bearer":                 {verify: `{kind: token, header: Authorization, scheme: Bearer}`, body: jsonBody, header: http.Header{"Authorization": {"Bearer " + marked}}},
		"as a password":               {verify: `{kind: basic, user: crm}`, body: jsonBody, header: http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("crm:"+marked))}}},
		"in the query":                {verify: `{kind: token, query: token}`, body: jsonBody, query: "token=" + marked},
		"in the body":                 {verify: `{kind: token, body_path: token}`, body: `{"token":"` + marked + `","id":"1","phone":"+12025550142"}`},
		"deep in the body":            {verify: `{kind: token, body_path: a.token}`, body: `{"a":{"token":"` + marked + `","b":"x"},"id":"1","phone":"+12025550142"}`},
		"escaped in the body":         {verify: `{kind: token, body_path: token}`, body: `{"\u0074oken":"` + marked + `","id":"1","phone":"+12025550142"}`},
		"in a form":                   {verify: `{kind: token, body_path: token}`, body: "token=" + marked + "&id=1&phone=%2B12025550142", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		"in a form, with dots":        {verify: `{kind: token, body_path: a.token}`, body: "a.token=" + marked + "&id=1&phone=%2B12025550142", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		"one of two ways":             {verify: `{any_of: [{kind: token, header: X-Token}, {kind: token, body_path: token}]}`, body: `{"token":"` + marked + `","id":"1","phone":"+12025550142"}`},
		"in a batch":                  {verify: `{kind: token, body_path: token}`, keys: "split: \"events[*]\"\n    keep: {all: events, token: token}", body: `{"token":"` + marked + `","events":[{"id":"1","phone":"+12025550142"}]}`},
		"in an empty batch":           {verify: `{kind: token, body_path: token}`, keys: `split: "events[*]"`, body: `{"token":"` + marked + `","events":[]}`},
		"in a CloudEvent":             {verify: `{kind: token, body_path: token}`, keys: "body: cloudevents\n    split: \"[*]\"", body: `{"specversion":"1.0","token":"` + marked + `","id":"1"}`, header: http.Header{"Content-Type": {"application/cloudevents+json"}}},
		"in a CloudEvent's data":      {verify: `{kind: token, body_path: token}`, keys: "body: cloudevents\n    split: \"[*]\"", body: `{"token":"` + marked + `","id":"1"}`, header: http.Header{"Ce-Id": {"1"}}},
		"in a CloudEvent's attribute": {verify: `{kind: token, header: Ce-Token}`, keys: "body: cloudevents\n    split: \"[*]\"", body: `{"id":"1"}`, header: http.Header{"Ce-Id": {"1"}, "Ce-Token": {marked}}},
	} {
		text := "sources:\n  crm:\n    verify: " + c.verify + "\n    secret: \"${SECRET}\"\n    key: [body:id, sha256:body]\n    " + c.keys + `
    fields: {phone: {path: [phone, item.phone, data.phone], type: phone, optional: true}, all: {path: a.b, optional: true}}
routes:
  - {name: all, source: crm, mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: "+12025550142", metadata: {all: all}}}
`
		config := parseWith(t, text, marked)
		source, _ := config.Source("crm")
		if c.header == nil {
			c.header = http.Header{}
		}
		if c.header.Get("Content-Type") == "" {
			c.header.Set("Content-Type", "application/json")
		}
		events, err := source.Receive(mapping.Delivery{
			Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/crm", RawQuery: c.query}, Header: c.header, Body: []byte(c.body), Received: received,
		})
		if err != nil || len(events) == 0 {
			t.Errorf("%s: not received: %v", name, err)
		}
		for _, in := range events {
			shown := stored(t, config, in)
			for _, form := range []string{marked, base64.StdEncoding.EncodeToString([]byte(marked))[:30], hex.EncodeToString([]byte(marked))} {
				if strings.Contains(shown, form) {
					t.Errorf("%s: kept in %s", name, shown)
				}
			}
		}
	}
}

// stored is everything that is stored or shown of an event.
func stored(t *testing.T, config *mapping.Config, in mapping.Incoming) string {
	t.Helper()
	items, err := config.Items(in)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := config.Suspend(in)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %+v", in.Event.Data, in.Event.Key, pending.Delivery, config.Explain(in).Reveal())
	for _, item := range items {
		switch {
		case item.Request != nil:
			fmt.Fprintf(&b, "%s %s", item.Request.Call, item.Request.Event.Data)
		case item.Result != nil:
			fmt.Fprintf(&b, "%+v %s %s", *item.Result, item.Result.Request, item.Result.Event.Data)
		case item.Pending != nil:
			fmt.Fprintf(&b, "%s %s", item.Pending.Event.Data, item.Pending.Delivery)
		}
	}
	return b.String()
}

// TestNoValueIsReadFromWhatVerifies: a source that reads its own token is refused.
func TestNoValueIsReadFromWhatVerifies(t *testing.T) {
	t.Parallel()
	const why = ", which verifies the sender and is never kept; name another value"
	for _, c := range []struct{ verify, keys, want string }{
		{`{kind: token, header: X-Token}`, `key: header:x-token`, "key reads header X-Token" + why},
		{`{kind: token, query: token}`, `key: ["query:token", sha256:body]`, "key reads query parameter token" + why},
		{`{kind: token, body_path: a.token}`, `key: [body:a.token]`, "key reads body field a.token" + why},
		{`{kind: basic, user: crm}`, "key: body:id\n    fields: {who: {path: header:Authorization}}", "who reads header Authorization" + why},
		{`{any_of: [{kind: token, header: X-Token}, {kind: token, query: token}]}`, "key: body:id\n    fields: {who: {path: [x, \"query:token\"], optional: true}}", "who reads query parameter token" + why},
		{`{kind: token, body_path: token}`, "key: body:id\n    type: root:token", "type reads body field token" + why},
	} {
		_, err := mapping.Parse("callbridge.yaml", []byte("sources:\n  crm:\n    verify: "+c.verify+"\n    secret: \"${SECRET}\"\n    "+c.keys+"\n"), withSecret())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: got %v, want %q", c.verify, c.keys, err, c.want)
		}
	}
}

// TestARepeatedTokenIsRefused: one of two tokens would verify, and the other could be
// kept.
func TestARepeatedTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := source(t, "sources:\n  crm:\n    verify: {kind: token, body_path: a.token, values: [\"${SECRET}\"]}\n    key: sha256:body\n    fields: {}\n")
	for contentType, bodies := range map[string][]string{
		"application/json": {
			`{"a":{"token":"%s","token":"x"}}`, `{"a":{"token":"x","token":"%s"}}`, `{"a":{"token":"%s"},"a":{"token":"x"}}`,
			`{"a":{},"a":{"token":"%s"}}`, `{"a":{"token":"%s","\u0074oken":"x"}}`, `{"a":{"token":"%s"}} {}`, `{"a":{"token":"%s"}`,
		},
		"application/x-www-form-urlencoded": {`a.token=%s&a.token=x`, `a.token=x&a.token=%s`, `a.token=%s&a.tok%%65n=x`},
	} {
		for _, body := range bodies {
			body = fmt.Sprintf(body, strings.ReplaceAll(longSecret, " ", "+"))
			if contentType == "application/json" {
				body = strings.ReplaceAll(body, "+", " ")
			}
			events, err := s.Receive(mapping.Delivery{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body), Received: received})
			if err == nil {
				t.Errorf("%s: %d events", body, len(events))
			}
		}
	}
}
