package handlers_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

const presets = `
public_url: https://bridge.example.com
sources:
  meta: {preset: meta-lead-ads, secret: "${SECRET}", lookup: []}
  monday: {preset: monday, secret: "${SECRET}", lookup: []}
  intercom: {preset: intercom, secret: "${SECRET}"}
  events: {preset: cloudevents, secret: "${SECRET}"}
  salesforce: {preset: salesforce-outbound-message, secret: "${SALESFORCE}"}
  website: {preset: generic, verify: {kind: hmac, hash: sha256, header: X-Signature, prefix: "sha256=", encoding: hex, keys: ["${SECRET}"]}}
routes:
  - {name: all, source: [meta, monday, intercom, events, salesforce, website], mode: live, call: {call_to: phone}}
`

// raw sends a request and returns the answer as it is.
func (w *world) raw(method, path, body string, header http.Header) (*http.Response, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response, string(read)
}

func TestHandshakesAreAnsweredAndBringNothing(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, presets)
	const token = "a+secret+of+the+test"
	for _, c := range []struct {
		name, method, path, body string
		header                   http.Header
		status                   int
		want                     string
	}{
		{"Meta", "GET", "/webhooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + token, "", nil, 200, "1158201444"},
		{"Meta with another token", "GET", "/webhooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x", "", nil, 403, ""},
		{"Meta by HEAD", "HEAD", "/webhooks/meta", "", nil, 405, ""},
		{"monday", "POST", "/webhooks/monday", `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`, nil, 200, `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`},
		{"monday, an event of nobody", "POST", "/webhooks/monday", `{"challenge":"x","event":{"triggerUuid":"1"}}`, nil, 401, ""},
		{"Intercom", "HEAD", "/webhooks/intercom", "", nil, 200, ""},
		{"Intercom by GET", "GET", "/webhooks/intercom", "", nil, 405, ""},
		{"CloudEvents", "OPTIONS", "/webhooks/events", "", http.Header{"Webhook-Request-Origin": {"events.example.com"}, "Webhook-Request-Rate": {"120"}}, 200, ""},
		{"CloudEvents without an origin", "OPTIONS", "/webhooks/events", "", nil, 403, ""},
		{"no handshake", "GET", "/webhooks/website", "", nil, 405, ""},
		{"no source", "GET", "/webhooks/nobody", "", nil, 404, ""},
	} {
		response, body := w.raw(c.method, c.path, c.body, c.header)
		if response.StatusCode != c.status || c.want != "" && body != c.want {
			t.Errorf("%s: got %d %s, want %d %s", c.name, response.StatusCode, body, c.status, c.want)
		}
		if c.want != "" && response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a browser may guess what it is", c.name)
		}
	}
	response, _ := w.raw("OPTIONS", "/webhooks/events", "", http.Header{"Webhook-Request-Origin": {"events.example.com"}, "Webhook-Request-Rate": {"120"}})
	if response.Header.Get("WebHook-Allowed-Origin") != "*" || response.Header.Get("WebHook-Allowed-Rate") != "*" {
		t.Errorf("no consent: %v", response.Header)
	}
	if w.stored("CALLBRIDGE_REQUESTS")+w.stored("CALLBRIDGE_RESULTS") != 0 {
		t.Error("a handshake was stored")
	}
}

const outboundMessage = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
 <notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D1</OrganizationId>
  <Notification><Id>04l1</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Phone>+12025550142</sf:Phone></sObject></Notification>
  <Notification><Id>04l2</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Phone>call me</sf:Phone></sObject></Notification>
 </notifications></soapenv:Body></soapenv:Envelope>`

func TestSalesforceReadsItsAckWhenAllIsStored(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, presets)
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`""`}}
	for range 2 {
		response, body := w.raw("POST", "/webhooks/salesforce?token=a+secret+of+the+test", outboundMessage, header)
		if response.StatusCode != 200 || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/xml") || !strings.Contains(body, "<Ack>true</Ack>") {
			t.Fatalf("got %d %s: %s", response.StatusCode, response.Header.Get("Content-Type"), body)
		}
	}
	if w.stored("CALLBRIDGE_REQUESTS") != 1 || w.stored("CALLBRIDGE_RESULTS") != 1 {
		t.Error("of two notifications, one can be called and one cannot")
	}
	if response, body := w.raw("POST", "/webhooks/salesforce?token=x", outboundMessage, header); response.StatusCode != 401 || strings.Contains(body, "Ack") {
		t.Errorf("somebody else: got %d %s", response.StatusCode, body)
	}
}

func packed(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, body)
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPackedWebhooksAreUnpackedBeforeTheyAreVerified(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, presets)
	const lead = `{"event_id":"packed","phone":"+12025550142"}`
	tooMuch := `{"event_id":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range []struct {
		name, encoding, body, signed string
		status                       int
	}{
		{"gzip", "gzip", packed(t, lead), lead, 202},
		{"signed as packed", "gzip", packed(t, lead), packed(t, lead), 401},
		{"more than it looks", "gzip", packed(t, tooMuch), tooMuch, 413},
		{"a bomb", "gzip", packed(t, strings.Repeat("\x00", 1<<26)), "", 413},
		{"no gzip", "gzip", lead, lead, 400},
		{"cut off", "gzip", packed(t, lead)[:30], lead, 400},
		{"another coding", "br", lead, lead, 415},
		{"two codings", "gzip, gzip", packed(t, packed(t, lead)), lead, 415},
		{"no coding", "identity", lead, lead, 202},
	} {
		header := signed(c.signed)
		header.Set("Content-Encoding", c.encoding)
		if response, body := w.raw("POST", "/webhooks/website", c.body, header); response.StatusCode != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, response.StatusCode, body, c.status)
		}
	}
}
