package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/internal/testkit"
)

func TestHealthReportsReadiness(t *testing.T) {
	t.Parallel()
	b, stopNATS := startBridgeOnNATS(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(b.process.public.URL(), "http://"), ":")
	var out bytes.Buffer
	testkit.Eventually(t, "healthy", func() bool {
		out.Reset()
		return health(t.Context(), &out, settings{HTTPAddr: ":" + port}, "/readyz") == nil
	})
	if !strings.Contains(out.String(), `"ready":true`) {
		t.Errorf("printed %s", out.String())
	}
	stopNATS()
	testkit.Eventually(t, "not healthy without NATS", func() bool {
		out.Reset()
		err := health(t.Context(), &out, settings{HTTPAddr: "0.0.0.0:" + port}, "/readyz")
		return err != nil && strings.Contains(err.Error(), "ADMIN_ADDR") && out.String() == "{\"ready\":false}\n"
	})
	if err := health(t.Context(), &out, settings{HTTPAddr: "0.0.0.0:" + port}, "/livez"); err != nil {
		t.Errorf("alive: %v", err)
	}
	if err := health(t.Context(), &out, settings{HTTPAddr: "127.0.0.1:1"}, "/livez"); err == nil {
		t.Error("a missing process is healthy")
	}
}

func TestRefusedKeyOfOneCRMAndRefusedTokenLeaveTheProcessReady(t *testing.T) {
	t.Parallel()
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(crm.Close)
	text := fmt.Sprintf(lookupConfig, testkit.File(t, "token", "token-of-the-crm"), crm.URL) + `
  - name: at-once
    source: website
    mode: live
    purpose: service
    policy: {countries: [US]}
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
`
	text = strings.Replace(text, "sources:", `sources:
  website:
    verify: {kind: none, reason: a test on this machine}
    key: [body:id]
    fields: {phone: {path: phone, type: phone, region: US}}`, 1)
	b := startBridge(t, map[string]string{"CONFIG_FILE": testkit.File(t, "callbridge.yaml", text), "CALLAB_TOKEN": "revoked"})
	b.post("/webhooks/crm", `{"id":"e1","contact":5}`, http.Header{"X-Token": {"token-of-the-crm"}})
	b.website(`{"id":"1","phone":"+12025550142"}`)
	for _, want := range []string{`"status":"degraded"`, `"sources":{"crm":"the CRM refuses our credentials`, `"dispatch":"callab refuses the create call (HTTP 401)`, `"nats":"ok"`} {
		testkit.Eventually(t, "the answer has "+want, func() bool { return strings.Contains(b.admin("/readyz"), want) })
	}
	if !b.ready() || testkit.Get(t, b.process.public.URL()+"/readyz").Status != http.StatusOK {
		t.Errorf("not ready: %s", b.admin("/readyz"))
	}
	if status := b.website(`{"id":"2","phone":"+12025550142"}`); status != http.StatusAccepted {
		t.Errorf("a webhook is answered %d", status)
	}
	for _, want := range []string{
		"callbridge_ready 1\n", `callbridge_check_ok{check="dispatch"} 0`, `callbridge_check_ok{check="nats"} 1`,
		`callbridge_lookup_held{cause="credentials",source="crm"} 1`, `callbridge_lookup_held{cause="circuit_breaker",source="crm"} 0`,
	} {
		if !strings.Contains(b.scrape(), want) {
			t.Errorf("the scrape has no %s:\n%s", want, b.scrape())
		}
	}
	contract := newContract(t)
	contract.holds(t, "degraded", contract.response(t, "get", "/readyz", 200)+"/content/application~1json/schema", []byte(b.admin("/readyz")))
}

// TestAPausedConsumerKeepsWebhooks: it stops calls, not webhooks.
func TestAPausedConsumerKeepsWebhooks(t *testing.T) {
	t.Parallel()
	b := startBridge(t, map[string]string{"CONFIG_FILE": testkit.File(t, "callbridge.yaml", strings.Replace(openConfig, "dry_run", "live", 1))})
	js := testkit.JetStream(t, b.process.bus.UserURL(role.Administrator), nats.CustomInboxPrefix(role.Inbox(role.Administrator)))
	pause := func(until time.Time) {
		if _, err := js.PauseConsumer(t.Context(), "CALLBRIDGE_REQUESTS", "dispatch", until); err != nil {
			t.Fatal(err)
		}
	}
	pause(time.Now().Add(time.Hour))
	testkit.Eventually(t, "the pause is shown", func() bool { return strings.Contains(b.admin("/readyz"), `"consumers":"consumer dispatch is paused`) })
	if status := b.website(`{"id":"1","phone":"+12025550142"}`); status != http.StatusAccepted || !b.ready() {
		t.Errorf("a webhook is answered %d: %s", status, b.admin("/readyz"))
	}
	pause(time.Time{})
	if got := b.result(); got.Outcome != event.Accepted {
		t.Errorf("after the pause: %+v", got)
	}
}
