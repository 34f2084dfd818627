//go:build unix

package crash_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/internal/testkit"
)

// points returns the probabilities of a kill and of a freeze at each crash point; a
// request passes about ten of them.
func points(stream uint64, freeze float64) plan {
	return plan{
		Seed: stream,
		Kill: map[string]float64{"*": .002, "connected": .001, "reconciling": .02, "reconciled": .02, "unknown": .02},
		Freeze: map[string]float64{
			"*": freeze, "fence-passed": 2 * freeze, "reconciling": 4 * freeze, "unknown": 4 * freeze,
		},
	}
}

// redial is the harder setting: a call that is not in Callab's list is dialled
// again, so a mistake leads to a second call.
var redial = map[string]string{"DIAL_UNKNOWN": "redial"}

// completeLimit bounds the time until every event has its result. It is long, since
// the interval of looking for an unknown call doubles while the list fails.
const completeLimit = 6 * time.Minute

// Real processes are killed and frozen while webhooks arrive and calls fail.
func TestKillsAndFreezesLoseNoEventAndDialNobodyTwice(t *testing.T) {
	t.Parallel()
	modes := []mode{
		{"embedded NATS, park", false, scenario{bridges: 1, plan: points(1, 0)}, chaos{kills: 24}, chaos{kills: 130}},
		{"two bridges, redial", false, scenario{bridges: 2, nats: 1, plan: points(2, .0005), environ: redial},
			chaos{kills: 18, freezes: 5}, chaos{kills: 130, freezes: 40}},
		{"embedded NATS, redial", true, scenario{bridges: 1, plan: points(3, .0003), environ: redial}, chaos{}, chaos{kills: 100, freezes: 20}},
		{"two bridges, NATS killed, redial", true, scenario{bridges: 2, nats: 1, plan: points(4, .0005), environ: redial},
			chaos{}, chaos{kills: 100, freezes: 30, killNATS: true}},
		{"two bridges, cluster of three, redial", true, scenario{bridges: 2, nats: 3, plan: points(5, .0005), environ: redial},
			chaos{}, chaos{kills: 60, freezes: 20, killNATS: true}},
	}
	var mu sync.Mutex
	var accounts []account
	t.Run("modes", func(t *testing.T) {
		for _, m := range modes {
			if m.longOnly && !*long {
				continue
			}
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				c := m.short
				if *long {
					c = m.long
				}
				f := newFixture(t, m.scenario)
				f.runChaos(c)
				if !f.waitComplete(completeLimit) {
					t.Errorf("not complete within %s", completeLimit)
				}
				a := f.account(m.name)
				a.check(t)
				mu.Lock()
				defer mu.Unlock()
				accounts = append(accounts, a)
			})
		}
	})
	table(t, accounts)
}

// mode is one way to run callbridge, with its faults in the short and long form.
type mode struct {
	name        string
	longOnly    bool
	scenario    scenario
	short, long chaos
}

// chaos says which faults are injected, and how many.
type chaos struct {
	// kills and freezes are the minimum for the bridges, crash points included.
	kills, freezes int64
	// killNATS: NATS servers are killed as well.
	killNATS bool
	// pointsOnly: faults happen only at crash points; Callab has none.
	pointsOnly bool
}

// chaosLimit bounds the time to reach the minimum.
const chaosLimit = 15 * time.Minute

// runChaos sends events and injects faults until the minimum is reached. Then it
// ends all faults.
func (f *fixture) runChaos(c chaos) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), chaosLimit)
	defer cancel()
	var parts sync.WaitGroup
	if !c.pointsOnly {
		f.callab.addFaults()
		parts.Go(func() { f.callab.addOtherCalls(ctx, f.dice) })
	}
	parts.Go(func() { f.crm.sendEvents(ctx, pace()) })
	for ctx.Err() == nil && !f.enough(c) {
		select {
		case <-ctx.Done():
		case <-time.After(f.dice.between(200*time.Millisecond, time.Second)):
			f.injectFault(c)
		}
	}
	if ctx.Err() != nil {
		f.t.Errorf("not enough kills and freezes within %s", chaosLimit)
	}
	cancel()
	parts.Wait()
	f.stopChaos()
}

// pace is the time between events. It is longer in the long form, so that Callab's
// list stays within the number of pages that a search reads.
func pace() time.Duration {
	if *long {
		return 80 * time.Millisecond
	}
	return 40 * time.Millisecond
}

func (f *fixture) enough(c chaos) bool {
	kills, freezes := f.faultCounts()
	return kills >= c.kills && freezes >= c.freezes
}

// faultCounts returns how often the bridges were killed and frozen so far.
func (f *fixture) faultCounts() (kills, freezes int64) {
	for _, b := range f.bridges {
		kills += b.kills.Load() + b.pointKills.Load()
		freezes += b.freezes.Load() + b.pointFreezes.Load()
	}
	return kills, freezes
}

// injectFault injects one fault. It spares processes that are not ready yet, and
// most of the frozen ones: otherwise no work would be done and no freeze be long.
func (f *fixture) injectFault(c chaos) {
	b := f.bridges[f.dice.n(len(f.bridges))]
	roll := f.dice.n(100)
	_, freezes := f.faultCounts()
	switch {
	case c.pointsOnly:
	case c.killNATS && roll < 10:
		f.nats.kill(f.victim(), f.dice)
	case !b.up() || b.isFrozen() && roll < 95:
	case freezes < c.freezes && roll < 40:
		b.freeze(f.freezeFor())
	default:
		b.kill()
	}
}

// freezeFor returns the duration of a freeze: in a third of the cases longer than a
// claim is valid, unless the scenario sets it.
func (f *fixture) freezeFor() time.Duration {
	if f.scenario.frozenFor > 0 {
		return f.scenario.frozenFor
	}
	if f.dice.n(3) == 0 {
		return f.dice.between(longFreeze, longFreeze+2*time.Second)
	}
	return f.dice.between(50*time.Millisecond, writeWindow+callabTimeout)
}

// victim returns the name of the server that leads the ledger, or "".
func (f *fixture) victim() string {
	if f.dice.n(3) == 0 {
		return ""
	}
	return f.leader()
}

// leader returns the name of the server that leads the ledger, or "" if it is not known.
func (f *fixture) leader() string {
	conn, err := nats.Connect(f.nats.url(), nats.Timeout(time.Second))
	if err != nil {
		return ""
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
	defer cancel()
	if js, err := jetstream.New(conn); err == nil {
		if stream, err := js.Stream(ctx, "CALLBRIDGE_LEDGER"); err == nil && stream.CachedInfo().Cluster != nil {
			return stream.CachedInfo().Cluster.Leader
		}
	}
	return ""
}

// stopChaos ends all faults: new processes without crash points, and a Callab whose
// list is readable.
func (f *fixture) stopChaos() {
	f.t.Helper()
	f.faultsOff.Store(true)
	f.callab.ClearFaults()
	for _, b := range f.bridges {
		old := b.process()
		old.kill()
		await(f.t, time.Minute, b.name+" starts again", func() bool { return b.process() != old && b.up() })
	}
	f.crm.pending.Wait()
}

// waitComplete waits until every accepted event has its result and no request is in
// progress, then sends all webhooks once more and waits again. It reports whether
// both happened in time.
func (f *fixture) waitComplete(limit time.Duration) bool {
	f.t.Helper()
	f.results.follow(f.natsURL())
	complete := func() bool { return f.results.complete(f.crm.all()) }
	done := testkit.Within(limit, complete)
	f.crm.repeatAll()
	return testkit.Within(limit, complete) && done
}

// longerThanClaim is a freeze during which another process receives the request,
// finds the claim expired, finds no call in Callab's list, and dials again. Before
// that, the request may be delivered once more to the frozen process.
const longerThanClaim = claimAge + 3*ackWait + settle + time.Second

// The controls show that the crash test detects mistakes: without the fence and
// without the ledger, calls are placed twice.
//
// One assumption depends on Callab: it closes a connection on which no request
// comes. It matters for a process that is frozen between the check of the clock and
// the write. Where it does not hold, DIAL_UNKNOWN=redial places calls twice. With
// park it does not, but a call that was placed may end as unknown.
func TestControlsDetectDoubleCalls(t *testing.T) {
	t.Parallel()
	if !*long {
		t.Skip("part of the long form: make crash")
	}
	// freezing has two bridges, of which one freezes at a crash point. Each
	// dials one call at a time, so that the request of the frozen one is
	// delivered to the other immediately.
	serial := map[string]string{"DIAL_CONCURRENCY": "1"}
	serialRedial := map[string]string{"DIAL_CONCURRENCY": "1", "DIAL_UNKNOWN": "redial"}
	freezing := func(point string, p plan, change func(*scenario)) scenario {
		p.Seed, p.Freeze = 11, map[string]float64{point: .1}
		s := scenario{bridges: 2, nats: 1, plan: p, oneHealthy: true, environ: serialRedial, frozenFor: longerThanClaim}
		if change != nil {
			change(&s)
		}
		return s
	}
	keepSilent := func(s *scenario) { s.sim.HeaderTimeout = time.Minute }
	fewFreezes := chaos{freezes: 5, pointsOnly: true}
	// Only some of the late writes succeed: a deadline stops the others.
	manyFreezes := chaos{freezes: 9, pointsOnly: true}
	var mu sync.Mutex
	var accounts []account
	t.Run("controls", func(t *testing.T) {
		for _, c := range []struct {
			name     string
			scenario scenario
			chaos    chaos
			doubles  bool
		}{
			{"ledger off", scenario{bridges: 1, plan: plan{LedgerOff: true}, environ: redial}, chaos{kills: 30}, true},
			{"fence off", freezing("claimed", plan{FenceOff: true}, nil), fewFreezes, true},
			{"fence on, frozen before it", freezing("claimed", plan{}, nil), fewFreezes, false},
			{"fence on, frozen after it", freezing("fence-passed", plan{}, nil), fewFreezes, false},
			{"silent connections kept, redial", freezing("fence-passed", plan{}, keepSilent), manyFreezes, true},
			{"silent connections kept, park", freezing("fence-passed", plan{}, func(s *scenario) { keepSilent(s); s.environ = serial }), fewFreezes, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, c.scenario)
				f.runChaos(c.chaos)
				f.waitComplete(time.Minute)
				a := f.account(c.name)
				if doubles := a.twice > 0; doubles != c.doubles {
					t.Errorf("dialled twice %d times; want any: %v\n%s", a.twice, c.doubles, a.details)
				}
				mu.Lock()
				defer mu.Unlock()
				accounts = append(accounts, a)
			})
		}
	})
	table(t, accounts)
}
