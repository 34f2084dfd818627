package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"callbridge/internal/testkit"
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
  - {name: all, source: [meta, monday, intercom, events, salesforce, website], mode: live, purpose: service, policy: {countries: [US]}, call: {call_to: phone}}
`

func TestHandshakesAreAnsweredAndStoreNothing(t *testing.T) {
	t.Parallel()
	f := setupWith(t, presets)
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
		{"monday, an unverified event", "POST", "/webhooks/monday", `{"challenge":"x","event":{"triggerUuid":"1"}}`, nil, 401, ""},
		{"Intercom", "HEAD", "/webhooks/intercom", "", nil, 200, ""},
		{"Intercom by GET", "GET", "/webhooks/intercom", "", nil, 405, ""},
		{"CloudEvents", "OPTIONS", "/webhooks/events", "", http.Header{"Webhook-Request-Origin": {"events.example.com"}, "Webhook-Request-Rate": {"120"}}, 200, ""},
		{"CloudEvents without an origin", "OPTIONS", "/webhooks/events", "", nil, 403, ""},
		{"source without a handshake", "GET", "/webhooks/website", "", nil, 405, ""},
		{"unknown source", "GET", "/webhooks/unconfigured", "", nil, 404, ""},
	} {
		got := testkit.Do(t, c.method, f.url+c.path, c.body, c.header)
		if got.Status != c.status || c.want != "" && got.Body != c.want {
			t.Errorf("%s: got %d %s, want %d %s", c.name, got.Status, got.Body, c.status, c.want)
		}
		if c.want != "" && got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: browsers may guess the content type", c.name)
		}
	}
	got := testkit.Do(t, "OPTIONS", f.url+"/webhooks/events", "", http.Header{"Webhook-Request-Origin": {"events.example.com"}, "Webhook-Request-Rate": {"120"}})
	if got.Header.Get("WebHook-Allowed-Origin") != "*" || got.Header.Get("WebHook-Allowed-Rate") != "*" {
		t.Errorf("origin not allowed: %v", got.Header)
	}
	if f.stored("CALLBRIDGE_REQUESTS")+f.stored("CALLBRIDGE_RESULTS") != 0 {
		t.Error("a handshake was stored")
	}
}

const outboundMessage = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
 <notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D1</OrganizationId>
  <Notification><Id>04l1</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Phone>+12025550142</sf:Phone></sObject></Notification>
  <Notification><Id>04l2</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Phone>call me</sf:Phone></sObject></Notification>
 </notifications></soapenv:Body></soapenv:Envelope>`

func TestSalesforceIsAcknowledgedAfterStoring(t *testing.T) {
	t.Parallel()
	f := setupWith(t, presets)
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`""`}}
	for range 2 {
		got := testkit.Do(t, "POST", f.url+"/webhooks/salesforce?token=a+secret+of+the+test", outboundMessage, header)
		if got.Status != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/xml") || !strings.Contains(got.Body, "<Ack>true</Ack>") {
			t.Fatalf("got %d %s: %s", got.Status, got.Header.Get("Content-Type"), got.Body)
		}
	}
	if f.stored("CALLBRIDGE_REQUESTS") != 1 || f.stored("CALLBRIDGE_RESULTS") != 1 {
		t.Error("want one request and one result for two notifications")
	}
	if got := testkit.Do(t, "POST", f.url+"/webhooks/salesforce?token=x", outboundMessage, header); got.Status != 401 || strings.Contains(got.Body, "Ack") {
		t.Errorf("wrong token: got %d %s", got.Status, got.Body)
	}
}
