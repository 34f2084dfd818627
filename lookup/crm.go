package lookup

import (
	"sync"
	"time"

	"callbridge/mapping/lookups"
)

const (
	// perSource is the number of concurrent lookups of one source in this process.
	perSource = 4
	// spare is the number of workers that no source can occupy: they give events back
	// that have to wait.
	spare = 4
	// busyDelay is the shortest delay of an event while perSource lookups of its source
	// are running.
	busyDelay = 200 * time.Millisecond
)

// workersFor is the number of workers for a number of sources with lookups: all of them
// may hang at the same time, and the workers of one are never those of another.
func workersFor(sources int) int { return spare + perSource*max(sources, perSource) }

// share is how many lookups of one source may run at once. It is perSource, unless a
// reload has added more sources than there are workers for.
func share(workers, sources int) int {
	return min(max((workers-spare)/max(sources, 1), 1), perSource)
}

// crm is what is known about the CRM of one source: how often it may be asked, whether it
// answers, and how many lookups are running.
type crm struct {
	*limiter
	breaker *breaker

	mu      sync.Mutex
	running int
}

func newCRM() *crm { return &crm{limiter: newLimiter(), breaker: newBreaker()} }

// enter returns zero if an event may be looked up now; leave must follow then. Else it
// returns when the event should come again. What comes again is spread over time by the
// rate of the source, however many events wait.
func (c *crm) enter(id string, q *lookups.Request, share int, now time.Time) time.Duration {
	if wait := c.acquire(id, q, now); wait > 0 {
		return wait
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running >= share {
		return c.postpone(id, busyDelay, now)
	}
	if wait := c.breaker.wait(now); wait > 0 {
		return c.postpone(id, wait, now)
	}
	c.running++
	return 0
}

func (c *crm) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}
