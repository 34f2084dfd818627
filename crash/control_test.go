//go:build unix

package crash_test

import (
	"sync"
	"testing"
	"time"
)

// outlasting is a freeze in which another process gets the request, takes the
// claim for dead, finds nothing in Callab's list, and dials again. The request
// may be delivered to the frozen one once more before that.
const outlasting = claimAge + 3*ackWait + settle + time.Second

// TestControls shows that the crash test can fail: without the fence and
// without the ledger people are called twice.
//
// One assumption is not ours to keep: that Callab closes a connection on which
// nothing comes. A process that is frozen between looking at the clock and
// writing rests on it. Where it does not hold, DIAL_UNKNOWN=redial calls people
// twice, and park does not; but then a call may end unknown that was placed.
func TestControls(t *testing.T) {
	t.Parallel()
	if !*long {
		t.Skip("part of the long form: make crash")
	}
	// freezing is two bridges, of which one freezes at a point. Each dials one
	// call at a time: then the frozen one waits for no other delivery, and its
	// own goes to its neighbour at once.
	one := map[string]string{"DIAL_CONCURRENCY": "1"}
	oneRedial := map[string]string{"DIAL_CONCURRENCY": "1", "DIAL_UNKNOWN": "redial"}
	freezing := func(point string, p plan, change func(*setup)) setup {
		p.Seed, p.Freeze = 11, map[string]float64{point: .1}
		s := setup{bridges: 2, nats: 1, plan: p, oneHealthy: true, environ: oneRedial, frozenFor: outlasting}
		if change != nil {
			change(&s)
		}
		return s
	}
	silence := func(s *setup) { s.sim.HeaderTimeout = time.Minute }
	frozen := chaos{freezes: 5, pointsOnly: true}
	// Only some of the late writes get through: a deadline stops the others.
	oftenFrozen := chaos{freezes: 9, pointsOnly: true}
	var mu sync.Mutex
	var accounts []account
	t.Run("controls", func(t *testing.T) {
		for _, c := range []struct {
			name    string
			setup   setup
			chaos   chaos
			doubles bool
		}{
			{"ledger off", setup{bridges: 1, plan: plan{LedgerOff: true}, environ: redial}, chaos{kills: 30}, true},
			{"fence off", freezing("claimed", plan{FenceOff: true}, nil), frozen, true},
			{"fence on, frozen before it", freezing("claimed", plan{}, nil), frozen, false},
			{"fence on, frozen behind it", freezing("fence-passed", plan{}, nil), frozen, false},
			{"silent connections kept, redial", freezing("fence-passed", plan{}, silence), oftenFrozen, true},
			{"silent connections kept, park", freezing("fence-passed", plan{}, func(s *setup) { silence(s); s.environ = one }), frozen, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, c.setup)
				w.ruin(c.chaos)
				w.rest(time.Minute)
				a := w.account(c.name)
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
