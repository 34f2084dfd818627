package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

const openConfig = `
sources:
  website:
    verify: {kind: none, reason: a test on this machine}
    key: [body:id]
    fields: {phone: {path: phone, type: phone, region: US}}
routes:
  - name: everybody
    source: website
    mode: dry_run
    purpose: service
    call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}
policy: {countries: [US]}
`

func TestReloadReplacesTheConfigurationOrKeepsIt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(openConfig)
	b := startBridge(t, map[string]string{"CONFIG_FILE": file})
	b.website(`{"id":"1","phone":"+12025550142"}`)
	if got := b.result(); got.Reason != "dry_run" {
		t.Errorf("at first: %s (%s)", got.Outcome, got.Reason)
	}

	write(strings.Replace(openConfig, "dry_run", "life", 1))
	testkit.Eventually(t, "the mistake is refused", func() bool { return strings.Contains(b.logs.String(), "config.reload_refused") })
	if !strings.Contains(b.logs.String(), "callbridge.yaml:10:") {
		t.Errorf("the log does not say where:\n%s", b.logs)
	}
	b.website(`{"id":"2","phone":"+12025550142"}`)
	if got := b.result(); got.Reason != "dry_run" {
		t.Errorf("after a mistake: %s (%s)", got.Outcome, got.Reason)
	}

	write(strings.Replace(openConfig, "dry_run", "live", 1))
	testkit.Eventually(t, "the second generation counts", func() bool { return strings.Contains(b.admin("/readyz"), `"config_generation":2`) })
	// What ended in dry run stays so; what is new is dialled.
	b.website(`{"id":"1","phone":"+12025550142"}`)
	b.website(`{"id":"3","phone":"+12025550142"}`)
	if got := b.result(); got.Reason != "created" || got.Event.Key != "3" {
		t.Errorf("after the reload: %s (%s) for %s", got.Outcome, got.Reason, got.Event.Key)
	}
	if n := len(b.sim.Placed()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	if !strings.Contains(b.scrape(), "callbridge_config_generation 2") {
		t.Error("the metric does not show the second generation")
	}
}

// A result names the configuration that decided, so that it can be asked which events a
// wrong file decided.
func TestResultAndLogNameTheConfigurationThatDecided(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	live := strings.Replace(openConfig, "dry_run", "live", 1)
	write(live)
	b := startBridge(t, map[string]string{"CONFIG_FILE": file})
	first := b.process.config.current().Hash()
	b.website(`{"id":"1","phone":"+12025550142"}`)
	b.website(`{"id":"2","phone":"nonsense"}`)
	for range 2 {
		if got := b.result(); got.Config != first {
			t.Errorf("%s (%s) was decided by %q, want %s", got.Outcome, got.Reason, got.Config, first)
		}
	}
	for _, line := range []string{"webhook.received", "call.attempted"} {
		pattern := regexp.MustCompile(`"msg":"` + line + `".*"config_hash":"` + first + `"`)
		testkit.Eventually(t, line+" has the hash", func() bool { return pattern.MatchString(b.logs.String()) })
	}
	write(openConfig + "# changed\n")
	testkit.Eventually(t, "the second generation counts", func() bool { return b.process.config.generation() == 2 })
	b.website(`{"id":"3","phone":"+12025550142"}`)
	if got, second := b.result(), b.process.config.current().Hash(); got.Config != second || second == first {
		t.Errorf("%s (%s) was decided by %q, want %s", got.Outcome, got.Reason, got.Config, second)
	}
}
