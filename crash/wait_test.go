//go:build unix

package crash_test

import (
	"testing"
)

// waitScenario has few people who may be called once a second, so that many requests wait,
// also several times. Processes are killed while a wait begins.
func waitScenario(seed uint64, bridges, nats int) scenario {
	s := scenario{
		bridges: bridges, nats: nats, plan: points(seed, 0), people: 20, environ: redial,
		policy: `{countries: [US], caps: {gap: 1s}, expire: 1h}`,
	}
	s.plan.Kill["waiting"], s.plan.Kill["deferred"] = .01, .01
	return s
}

// TestKillsLoseNoRequestThatWaits: each is called once in the end.
func TestKillsLoseNoRequestThatWaits(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{
		{"embedded NATS, waits", false, waitScenario(31, 1, 0), chaos{kills: 10}, chaos{kills: 60}},
		{"two bridges, waits", false, waitScenario(32, 2, 1), chaos{kills: 10}, chaos{kills: 60}},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, m.scenario)
			c := m.short
			if *long {
				c = m.long
			}
			f.runChaos(c)
			if !f.waitComplete(completeLimit) {
				t.Errorf("not complete within %s", completeLimit)
			}
			a := f.finish(m.name)
			if n := f.results.deferred.Load(); n == 0 {
				t.Error("no request has waited")
			} else {
				t.Logf("%d deferred results", n)
			}
			table(t, []account{a})
		})
	}
}
