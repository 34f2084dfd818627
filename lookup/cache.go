package lookup

import (
	"crypto/sha256"
	"sync"
	"time"

	"callbridge/mapping/lookups"
)

const (
	// maxCacheBytes limits the bodies of all cached responses together. Further
	// responses are not cached, and each event is looked up by itself.
	maxCacheBytes = 32 << 20
	// responseLife is longer than any event waits for others: coalesce is a minute
	// at most.
	responseLife = 2 * time.Minute
)

// responseCache lets events about the same record share one response. A response
// is used only for events that were received before its request was sent, since
// it may lack later changes.
type responseCache struct {
	mu        sync.Mutex
	responses map[string]response // by lookups.Request.Object
	inFlight  map[string]bool
	bytes     int
}

func newResponseCache() *responseCache {
	return &responseCache{responses: map[string]response{}, inFlight: map[string]bool{}}
}

// get returns a response that is new enough for an event received at that time.
func (c *responseCache) get(object string, received time.Time) (response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.responses[object]
	r.took = 0
	return r, ok && received.Before(r.sent)
}

// begin reports whether no request for the object is in flight. If so, the caller
// sends one and calls end.
func (c *responseCache) begin(object string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inFlight[object] {
		return false
	}
	c.inFlight[object] = true
	return true
}

func (c *responseCache) end(object string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.inFlight, object)
}

// add caches a response and removes those that have expired.
func (c *responseCache) add(object string, r response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, old := range c.responses {
		if name == object || r.sent.Sub(old.sent) > responseLife {
			c.bytes -= len(old.body)
			delete(c.responses, name)
		}
	}
	if c.bytes+len(r.body) <= maxCacheBytes {
		c.bytes += len(r.body)
		c.responses[object] = r
	}
}

// drop forgets a response, so that the next event sends a request.
func (c *responseCache) drop(object string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= len(c.responses[object].body)
	delete(c.responses, object)
}

// maxVersions is the number of records whose newest version is remembered. The
// oldest entry is replaced; out-of-order events of its record are then not
// detected, nor are they after a restart.
const maxVersions = 10_000

// versionCache remembers the newest version of each record that was looked up.
type versionCache struct {
	mu     sync.Mutex
	newest map[record]string
	order  [maxVersions]record // ring buffer of the keys of newest
	next   int
}

// record identifies a record and a type of event. It is a digest because the
// text may be long and may name a person.
type record [sha256.Size]byte

func newVersionCache() *versionCache { return &versionCache{newest: map[record]string{}} }

// recordOf keeps types of events apart: a later change must not supersede the
// creation of the record.
func recordOf(q *lookups.Request, eventType string) record {
	return sha256.Sum256([]byte(eventType + "\n" + q.Object))
}

// superseded reports whether a newer version of the record was looked up.
func (c *versionCache) superseded(q *lookups.Request, eventType string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return lookups.Older(q.Version, c.newest[recordOf(q, eventType)])
}

// advance records that the version was looked up. It reports false if a newer one
// was.
func (c *versionCache) advance(q *lookups.Request, eventType string) bool {
	if q.Version == "" {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := recordOf(q, eventType)
	newest, known := c.newest[r]
	if known && lookups.Older(q.Version, newest) {
		return false
	}
	if !known {
		delete(c.newest, c.order[c.next])
		c.order[c.next] = r
		c.next = (c.next + 1) % maxVersions
	}
	c.newest[r] = q.Version
	return true
}
