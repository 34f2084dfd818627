//go:build unix

package crash_test

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// chaos is how much a world has to bear.
type chaos struct {
	// kills and freezes of bridges are the least; those at points count.
	kills, freezes int64
	// killNATS: the NATS servers are killed as well.
	killNATS bool
	// pointsOnly: nothing happens but at crash points; Callab is well.
	pointsOnly bool
}

// chaosLimit ends a chaos that does not get on.
const chaosLimit = 15 * time.Minute

// ruin feeds, kills and freezes until it is enough. Then it lets everything
// come to rest.
func (w *world) ruin(c chaos) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), chaosLimit)
	defer cancel()
	var parts sync.WaitGroup
	if !c.pointsOnly {
		w.callab.misbehave()
		parts.Go(func() { w.callab.crowd(ctx, w.dice) })
	}
	parts.Go(func() { w.crm.feed(ctx, pace()) })
	for ctx.Err() == nil && !w.enough(c) {
		select {
		case <-ctx.Done():
		case <-time.After(w.dice.between(200*time.Millisecond, time.Second)):
			w.strike(c)
		}
	}
	if ctx.Err() != nil {
		w.t.Errorf("not enough kills and freezes within %s", chaosLimit)
	}
	cancel()
	parts.Wait()
	w.calmDown()
}

// pace is the time between events: short where there is little, and such in the
// long form that Callab's list stays within the pages that one look may take.
func pace() time.Duration {
	if *long {
		return 80 * time.Millisecond
	}
	return 40 * time.Millisecond
}

func (w *world) enough(c chaos) bool {
	kills, freezes := w.borne()
	return kills >= c.kills && freezes >= c.freezes
}

// borne is how often the bridges were killed and frozen so far.
func (w *world) borne() (kills, freezes int64) {
	for _, b := range w.bridges {
		kills += b.kills.Load() + b.pointKills.Load()
		freezes += b.freezes.Load() + b.pointFreezes.Load()
	}
	return kills, freezes
}

// strike does one bad thing. A process that is not up yet is left alone, and
// mostly one that is frozen: else nothing would get done, and no freeze be long.
func (w *world) strike(c chaos) {
	b := w.bridges[w.dice.n(len(w.bridges))]
	roll := w.dice.n(100)
	_, freezes := w.borne()
	switch {
	case c.pointsOnly:
	case c.killNATS && roll < 10:
		w.nats.kill(w.victim(), w.dice)
	case !b.up() || b.isFrozen() && roll < 95:
	case freezes < c.freezes && roll < 40:
		b.freeze(w.freezeFor())
	default:
		b.kill()
	}
}

// freezeFor is short in most cases, and longer than a claim lives in a third,
// unless the setup says how long.
func (w *world) freezeFor() time.Duration {
	if w.setup.frozenFor > 0 {
		return w.setup.frozenFor
	}
	if w.dice.n(3) == 0 {
		return w.dice.between(longFreeze, longFreeze+2*time.Second)
	}
	return w.dice.between(50*time.Millisecond, writeWindow+callabTimeout)
}

// victim names the server that leads the ledger; nobody if there is none.
func (w *world) victim() string {
	if w.dice.n(3) == 0 {
		return ""
	}
	conn, err := nats.Connect(w.nats.url(), nats.Timeout(time.Second))
	if err != nil {
		return ""
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
	defer cancel()
	if js, err := jetstream.New(conn); err == nil {
		if stream, err := js.Stream(ctx, "CALLBRIDGE_LEDGER"); err == nil && stream.CachedInfo().Cluster != nil {
			return stream.CachedInfo().Cluster.Leader
		}
	}
	return ""
}

// calmDown ends the chaos: fresh processes that do nothing to themselves, and a
// Callab whose list can be read.
func (w *world) calmDown() {
	w.t.Helper()
	w.calm.Store(true)
	w.callab.ClearFaults()
	for _, b := range w.bridges {
		old := b.process()
		old.kill()
		await(w.t, time.Minute, b.name+" starts again", func() bool { return b.process() != old && b.up() })
	}
	w.crm.open.Wait()
}

// rest waits until every accepted event has its result and nothing is under
// way, then sends everything once more and waits again. It reports whether all
// came to rest in time.
func (w *world) rest(limit time.Duration) bool {
	w.t.Helper()
	w.results.follow(w.natsURL())
	complete := func() bool { return w.results.complete(w.crm.all()) }
	rested := within(limit, complete)
	w.crm.repeatAll()
	return within(limit, complete) && rested
}
