package dispatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/mapping"
)

// liveRoute is a configuration with the route of the requests of these tests.
const liveRoute = `
policy: {countries: [US], hours: any}
sources:
  website: {preset: generic, verify: {kind: token, header: X-Api-Key, values: ["${KEY}"]}, key: [body:id], fields: {phone: {path: phone, type: phone}}}
routes:
  - {name: new-lead, source: website, mode: live, purpose: service, when: "true", call: {ai_agent_id: 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11, call_from: "+12025550100", call_to: phone}}
`

func load(t *testing.T, text string) *mapping.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := mapping.Load(file, mapping.Options{WithoutSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWhatWaitsIsJudgedByTheConfigurationInForce: its route was switched off, renamed or set
// to dry_run meanwhile, or is as before.
func TestWhatWaitsIsJudgedByTheConfigurationInForce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, new string
		want     event.Reason
	}{
		"switched off": {"mode: live", "enabled: false, mode: live", event.ReasonRouteOff},
		"renamed":      {"name: new-lead", "name: newest-lead", event.ReasonRouteOff},
		"dry_run":      {"mode: live", "mode: dry_run", event.ReasonRouteOff},
		"another one":  {"countries: [US]", "countries: [DE]", event.ReasonBadNumber},
		"as before":    {"", "", event.ReasonCreated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			var current atomic.Pointer[mapping.Config]
			current.Store(load(t, liveRoute))
			config := waitsFast()
			config.Permits = func(r *event.Request) (event.Outcome, event.Reason, string) { return current.Load().Permits(r) }
			f.run(config, good)
			f.stopUntil(website, time.Time{})
			r := request("lead-1", "+12025550142")
			f.send(r)
			f.waits(r)
			current.Store(load(t, strings.Replace(liveRoute, c.old, c.new, 1)))
			f.resumeCalls()
			if got := f.result(); got.Reason != c.want {
				t.Errorf("ended %s (%s: %s), want %s", got.Outcome, got.Reason, got.Detail, c.want)
			}
		})
	}
}
