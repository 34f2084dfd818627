package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"callbridge/bus/dnc"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestAFileThatCannotBeReadHoldsCallsAndTakesWebhooks. A number of the file is not called.
func TestAFileThatCannotBeReadHoldsCallsAndTakesWebhooks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "dnc.csv")
	b := startBridge(t, map[string]string{"DNC_FILE": file})
	if status := b.website(exampleBody(t, "website-lead.json")); status != http.StatusAccepted {
		t.Errorf("answered %d", status)
	}
	testkit.Eventually(t, "readiness says so", func() bool {
		answer := b.admin("/readyz")
		return strings.Contains(answer, `"do_not_call":"DNC_FILE cannot be read`) && strings.Contains(answer, `"status":"degraded"`)
	})
	testkit.Eventually(t, "the request is held", func() bool { return strings.Contains(b.logs.String(), "call.held") })
	if n := b.sim.Posts(); n != 0 {
		t.Errorf("%d calls", n)
	}
	if err := os.WriteFile(file, []byte("+1 202 555 0142\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.result(); got.Outcome != event.Skipped || got.Reason != event.ReasonDoNotCall || got.Detail != "on the do-not-call list, by DNC_FILE: the number is in DNC_FILE" {
		t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	if n := b.sim.Posts(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// TestRequestsAboutPeopleFollowTheContract compares them with docs/asyncapi.yaml.
func TestRequestsAboutPeopleFollowTheContract(t *testing.T) {
	t.Parallel()
	contract := newContract(t)
	for _, r := range []dnc.Request{
		{Numbers: []string{"+12025550142"}},
		{
			Numbers: []string{"+12025550142"}, Scope: dnc.Scope{Source: "crm", Route: "new-lead"}, Until: time.Now().UTC(), All: true,
			By: "ada", Why: "asked",
		},
		{Key: "k", Listed: []dnc.Listed{{
			Person: strings.Repeat("a", 32),
			Entry:  dnc.Entry{Scope: dnc.Scope{Source: "crm", Route: "new-lead"}, By: "ada", Why: "asked", Since: time.Now(), Until: time.Now()},
		}}},
	} {
		contract.holds(t, "a request", contract.payload(t, "doNotCall"), []byte(testkit.JSON(t, r)))
	}
}

func TestSettingsOfTheDoNotCallFile(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]map[string]string{
		"DNC_FILE_MAX_AGE is set and DNC_FILE is not": {"DNC_FILE_MAX_AGE": "24h"},
		"DNC_FILE_MAX_AGE -1h0m0s is below zero":      {"DNC_FILE": "x", "DNC_FILE_MAX_AGE": "-1h"},
	} {
		if _, err := loadSettings(t.Context(), envconfig.MapLookuper(change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	s, err := loadSettings(t.Context(), envconfig.MapLookuper(map[string]string{"DNC_FILE": "x", "DNC_FILE_MAX_AGE": "24h"}))
	if err != nil || s.DNCFileMaxAge != 24*time.Hour {
		t.Errorf("%s, %v", s.DNCFileMaxAge, err)
	}
}
