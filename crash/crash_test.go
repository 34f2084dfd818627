//go:build unix

package crash_test

import (
	"sync"
	"testing"
	"time"
)

// points are how likely a bridge does something to itself at each of the
// points; a request passes about ten.
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
// again, so each mistake rings.
var redial = map[string]string{"DIAL_UNKNOWN": "redial"}

// restLimit is how long everything may take to come to rest after a chaos: an
// unknown call is looked for less and less often, if the list fails.
const restLimit = 6 * time.Minute

// TestNobodyIsDialledTwiceAndNothingIsLost kills and freezes real processes
// while webhooks arrive and Callab has a bad day.
func TestNobodyIsDialledTwiceAndNothingIsLost(t *testing.T) {
	t.Parallel()
	modes := []mode{
		{"embedded NATS, park", false, setup{bridges: 1, plan: points(1, 0)}, chaos{kills: 24}, chaos{kills: 130}},
		{"two bridges, redial", false, setup{bridges: 2, nats: 1, plan: points(2, .0005), environ: redial},
			chaos{kills: 18, freezes: 5}, chaos{kills: 130, freezes: 40}},
		{"embedded NATS, redial", true, setup{bridges: 1, plan: points(3, .0003), environ: redial}, chaos{}, chaos{kills: 100, freezes: 20}},
		{"two bridges, NATS killed, redial", true, setup{bridges: 2, nats: 1, plan: points(4, .0005), environ: redial},
			chaos{}, chaos{kills: 100, freezes: 30, killNATS: true}},
		{"two bridges, cluster of three, redial", true, setup{bridges: 2, nats: 3, plan: points(5, .0005), environ: redial},
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
				w := newWorld(t, m.setup)
				w.ruin(c)
				if !w.rest(restLimit) {
					t.Errorf("not at rest within %s", restLimit)
				}
				a := w.account(m.name)
				a.check(t)
				mu.Lock()
				defer mu.Unlock()
				accounts = append(accounts, a)
			})
		}
	})
	table(t, accounts)
}

// mode is one way to run callbridge, and what it has to bear.
type mode struct {
	name        string
	longOnly    bool
	setup       setup
	short, long chaos
}
