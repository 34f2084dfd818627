//go:build unix

package crash_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/uuid"

	"callbridge/event"
)

// account is what came of one world: one line of the table.
type account struct {
	mode string
	// events are the ones that were answered with 2xx, webhooks all that were
	// sent for them.
	events, webhooks int64
	// kills and freezes are all of them, the others those at crash points.
	kills, pointKills, natsKills       int64
	freezes, pointFreezes, longFreezes int64
	// struck says which points: "kill at claimed".
	struck []string
	placed int

	// twice: a phone rang more often than once.
	twice int
	// lost: nobody was called, and the result does not say so.
	lost int
	// notOne: no final result, or several.
	notOne int
	// denied: a phone rang, and the result says that nobody was called.
	denied int
	// unasked: a phone rang for a webhook that was never accepted.
	unasked int
	// parked: a person has to decide. missed of them did ring, although
	// Callab's list could be read.
	parked, missed int

	details []string
}

// account compares what was accepted with what Callab placed and what the
// results say.
func (w *world) account(mode string) account {
	a := account{mode: mode, webhooks: w.crm.sent.Load()}
	for _, b := range w.bridges {
		a.pointKills += b.pointKills.Load()
		a.kills += b.kills.Load() + b.pointKills.Load()
		a.pointFreezes += b.pointFreezes.Load()
		a.freezes += b.freezes.Load() + b.pointFreezes.Load()
		a.longFreezes += b.longFreezes.Load()
		a.struck = append(a.struck, b.strikes()...)
	}
	if w.nats != nil {
		for _, n := range w.nats.supervisors {
			a.natsKills += n.kills.Load()
		}
	}
	accepted, dialled, results := w.crm.all(), w.callab.dialled(), w.results.all()
	a.events = int64(len(accepted))
	for id, n := range dialled {
		a.placed += n
		if _, asked := accepted[id]; !asked {
			a.unasked++
		}
	}
	for id, key := range accepted {
		a.add(id, key, dialled[id], results[id])
	}
	return a
}

func (a *account) add(id uuid.UUID, key string, dialled int, results []result) {
	before := a.wrong()
	if dialled > 1 {
		a.twice++
	}
	if len(results) != 1 {
		a.notOne++
	}
	for _, r := range results {
		switch o := r.outcome; {
		case o == event.Accepted && dialled == 0:
			a.lost++
		case (o == event.Rejected || o == event.Failed || o == event.Skipped) && dialled > 0:
			a.denied++
		case o == event.Unknown:
			a.parked++
			a.missed += dialled
		}
	}
	if len(results) == 0 && dialled == 0 {
		a.lost++
	}
	if a.wrong() > before {
		a.details = append(a.details, fmt.Sprintf("%s (%s): dialled %d times, results %v", id, key, dialled, results))
	}
}

func (a *account) wrong() int {
	return a.twice + a.lost + a.notOne + a.denied + a.unasked + a.missed
}

// check fails the test for everything that must not be.
func (a *account) check(t *testing.T) {
	t.Helper()
	if a.wrong() > 0 {
		t.Errorf("%s: dialled twice %d, lost %d, without exactly one result %d, placed though the result denies it %d, placed unasked %d, unknown though placed %d:\n%s",
			a.mode, a.twice, a.lost, a.notOne, a.denied, a.unasked, a.missed, strings.Join(a.details, "\n"))
	}
	if a.placed == 0 {
		t.Errorf("%s: no call was placed, so nothing is proved", a.mode)
	}
}

// table prints accounts for people.
func table(t *testing.T, accounts []account) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "mode\tevents\twebhooks\tkills (at points)\tNATS kills\tfreezes (at points)\tlonger than a claim\tcalls placed\tdialled twice\tlost\tnot one result\tdenied\tparked (placed)\t")
	struck := map[string]int{}
	for _, a := range accounts {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d (%d)\t%d\t%d (%d)\t%d\t%d\t%d\t%d\t%d\t%d\t%d (%d)\t\n", a.mode, a.events, a.webhooks, a.kills, a.pointKills,
			a.natsKills, a.freezes, a.pointFreezes, a.longFreezes, a.placed, a.twice, a.lost, a.notOne, a.denied, a.parked, a.missed)
		for _, act := range a.struck {
			struck[act]++
		}
	}
	_ = w.Flush()
	for _, act := range slices.Sorted(maps.Keys(struck)) {
		_, _ = fmt.Fprintf(&text, "%s: %d\n", act, struck[act])
	}
	t.Logf("seed %d\n%s", *seed, text.String())
}
