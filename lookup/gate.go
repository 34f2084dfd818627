package lookup

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"callbridge/mapping"
)

const (
	// missed is how late an event may come to its turn and still have it.
	missed = 2 * time.Second
	// holdLeast and holdMost are the pauses between two tries of credentials
	// that were refused.
	holdLeast, holdMost = time.Second, time.Minute
	// holdForgotten is when nobody has tried refused credentials for so long
	// that nothing is known about them: no event waits any more.
	holdForgotten = 5 * time.Minute
	// forbiddenMost is how often in a row a CRM that knows us may answer 403
	// before that is about us, and no more about one record.
	forbiddenMost = 3
	// turnsMany is when turns that nobody took are looked for.
	turnsMany = 1024
)

// gate keeps the pace of one source, and holds it while its CRM throttles us
// or refuses our credentials.
type gate struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	// turns are the moments promised to events that have to wait: who waits
	// keeps its place, however many come after.
	turns map[string]time.Time
	// until is the end of a pause.
	until time.Time

	// refused are credentials that the CRM did not take, pause the last wait
	// for trying them again.
	refused *mapping.Auth
	pause   time.Duration
	// known says that the CRM has taken our credentials; forbidden counts
	// the 403 since then.
	known     bool
	forbidden int
}

func newGate() *gate {
	return &gate{limiter: rate.NewLimiter(rate.Inf, 1), turns: map[string]time.Time{}}
}

// wait returns how long the event has to wait for its look-up; zero for not at
// all, and then the turn is taken.
func (g *gate) wait(id string, q *mapping.LookupRequest, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused != nil && *g.refused != q.Auth {
		g.refused, g.until, g.pause = nil, time.Time{}, 0 // a reload has brought others
	}
	if rest := g.until.Sub(now); rest > 0 {
		return rest
	}
	if limit := rate.Limit(q.Rate); g.limiter.Limit() != limit {
		g.limiter.SetLimitAt(now, limit)
	}
	turn, ok := g.turns[id]
	if !ok || now.Sub(turn) > missed {
		g.forget(now)
		turn = now.Add(g.limiter.ReserveN(now, 1).DelayFrom(now))
	}
	if rest := turn.Sub(now); rest > 0 {
		g.turns[id] = turn
		return rest
	}
	delete(g.turns, id)
	return 0
}

// forget drops the turns of events that went to another process.
func (g *gate) forget(now time.Time) {
	if len(g.turns) < turnsMany {
		return
	}
	for id, turn := range g.turns {
		if now.Sub(turn) > missed {
			delete(g.turns, id)
		}
	}
}

// throttle pauses the source.
func (g *gate) throttle(d time.Duration, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := now.Add(d); until.After(g.until) {
		g.until = until
	}
}

// accept notes that the CRM has taken our credentials. It reports whether that
// is news.
func (g *gate) accept() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	news := g.refused != nil
	if news {
		g.until = time.Time{}
	}
	g.known, g.forbidden, g.refused, g.pause = true, 0, nil, 0
	return news
}

// refuse notes that the CRM has not taken our credentials: the source is held,
// and returned is how long. It reports whether that is news.
func (g *gate) refuse(auth mapping.Auth, now time.Time) (pause time.Duration, news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	news = g.refused == nil
	if news || now.After(g.until) {
		g.pause = min(max(2*g.pause, holdLeast), holdMost)
		g.until = now.Add(g.pause)
	}
	g.refused = &auth
	return g.pause, news
}

// aboutUs reports whether a 403 means our credentials: the CRM has never taken
// them, or forbids everything now. Else it is about one record.
func (g *gate) aboutUs() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forbidden++
	return !g.known || g.forbidden > forbiddenMost
}

func (g *gate) held(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused != nil && now.Sub(g.until) < holdForgotten
}
