//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// account is the outcome of one scenario: one line of the table.
type account struct {
	mode string
	// events were answered with 2xx; webhooks are all that were sent for them.
	events, webhooks int64
	// kills and freezes are totals; pointKills and pointFreezes are those at
	// crash points.
	kills, pointKills, natsKills       int64
	freezes, pointFreezes, longFreezes int64
	// pointActions lists the latter: "kill at claimed".
	pointActions []string
	placed       int

	// twice: more than one call was placed.
	twice int
	// lost: no call was placed, and no result says so.
	lost int
	// notOne: no result, or several.
	notOne int
	// denied: a call was placed, and the result says that none was.
	denied int
	// unasked: a call was placed for a webhook that was never accepted.
	unasked int
	// parked: a person has to decide. missed of them were placed, although
	// Callab's list was readable.
	parked, missed int

	details []string
}

// account compares the accepted webhooks with the placed calls and the results.
func (f *fixture) account(mode string) account {
	a := account{mode: mode, webhooks: f.crm.sent.Load()}
	for _, b := range f.bridges {
		a.pointKills += b.pointKills.Load()
		a.kills += b.kills.Load() + b.pointKills.Load()
		a.pointFreezes += b.pointFreezes.Load()
		a.freezes += b.freezes.Load() + b.pointFreezes.Load()
		a.longFreezes += b.longFreezes.Load()
		a.pointActions = append(a.pointActions, b.actions()...)
	}
	if f.nats != nil {
		for _, n := range f.nats.supervisors {
			a.natsKills += n.kills.Load()
		}
	}
	accepted, dialled, results := f.crm.all(), f.callab.dialled(), f.results.all()
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

// check fails the test if any promise is broken.
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

// table logs the accounts as a table.
func table(t *testing.T, accounts []account) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "mode\tevents\twebhooks\tkills (at points)\tNATS kills\tfreezes (at points)\tlonger than a claim\tcalls placed\tdialled twice\tlost\tnot one result\tdenied\tparked (placed)\t")
	pointActions := map[string]int{}
	for _, a := range accounts {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d (%d)\t%d\t%d (%d)\t%d\t%d\t%d\t%d\t%d\t%d\t%d (%d)\t\n", a.mode, a.events, a.webhooks, a.kills, a.pointKills,
			a.natsKills, a.freezes, a.pointFreezes, a.longFreezes, a.placed, a.twice, a.lost, a.notOne, a.denied, a.parked, a.missed)
		for _, act := range a.pointActions {
			pointActions[act]++
		}
	}
	_ = w.Flush()
	for _, act := range slices.Sorted(maps.Keys(pointActions)) {
		_, _ = fmt.Fprintf(&text, "%s: %d\n", act, pointActions[act])
	}
	t.Logf("seed %d\n%s", *seed, text.String())
}

// results reads the stream of results.
type results struct {
	t  *testing.T
	js jetstream.JetStream
	// once: it is read once, however often an account is made.
	once sync.Once

	mu        sync.Mutex
	byRequest map[uuid.UUID][]result
	// deferred counts results that another one follows.
	deferred atomic.Int64
	// ended counts the others.
	ended atomic.Int64
}

// result has the fields of an event.Result that an account needs.
type result struct {
	outcome event.Outcome
	reason  event.Reason
}

func newResults(t *testing.T) *results {
	return &results{t: t, byRequest: map[uuid.UUID][]result{}}
}

// follow reads the stored stream from its beginning until the test ends.
func (r *results) follow(url string) { r.once.Do(func() { r.read(url) }) }

func (r *results) read(url string) {
	r.t.Helper()
	r.js = testkit.JetStream(r.t, url, nats.CustomInboxPrefix(role.Inbox(role.Operator)), nats.ReconnectWait(200*time.Millisecond))
	consumer, err := r.js.OrderedConsumer(r.t.Context(), "CALLBRIDGE_RESULTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		r.t.Fatal(err)
	}
	reading, err := consumer.Consume(r.record)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(reading.Stop)
}

func (r *results) record(msg jetstream.Msg) {
	var got event.Result
	if err := json.Unmarshal(msg.Data(), &got); err != nil {
		r.t.Errorf("result on %s: %v", msg.Subject(), err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if got.Outcome == event.Deferred {
		r.deferred.Add(1)
		return // another one follows
	}
	r.ended.Add(1)
	r.byRequest[got.RequestID] = append(r.byRequest[got.RequestID], result{got.Outcome, got.Reason})
}

func (r *results) all() map[uuid.UUID][]result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := maps.Clone(r.byRequest)
	for id, several := range all {
		all[id] = slices.Clone(several)
	}
	return all
}

// complete reports whether each request has a result and none is pending or in
// progress.
func (r *results) complete(requests map[uuid.UUID]string) bool {
	all := r.all()
	for id := range requests {
		if len(all[id]) == 0 {
			return false
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	consumer, err := r.js.Consumer(ctx, "CALLBRIDGE_REQUESTS", "dispatch")
	if err != nil {
		return false
	}
	info := consumer.CachedInfo()
	return info.NumPending == 0 && info.NumAckPending == 0
}
