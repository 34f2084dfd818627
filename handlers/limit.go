package handlers

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// limit is a token bucket: burst at once, then one more after every. Its state is the
// instant at which the bucket is full again.
type limit struct {
	burst int
	every time.Duration
}

var (
	// failures is how many requests of a network for one source are refused, or
	// answered as handshakes, before the rest gets 429.
	failures = limit{30, 2 * time.Second}
	// guesses is how many webhooks of a network that has proved itself may fail
	// verification before nothing of it is verified (docs/decisions/0012-guessing.md).
	guesses = limit{1000, 20 * time.Millisecond}
)

const (
	// provedFor is how long a network counts as proved after a verified webhook.
	provedFor = 15 * time.Minute
	// proveEvery is how often the time of a proof is renewed, so that most verified
	// webhooks write nothing.
	proveEvery = time.Minute
	// maxSenders is the size of each of the two generations of senders: one with
	// many addresses must not exhaust the memory.
	maxSenders = 4096
)

// wait returns how long to wait for one token, zero if there is one.
func (l limit) wait(full, now time.Time) time.Duration {
	if full.Before(now) { // also the zero Time: its distance is beyond a Duration
		return 0
	}
	return max(0, full.Sub(now)-l.every*time.Duration(l.burst-1))
}

// take returns the state without one token.
func (l limit) take(full, now time.Time) time.Time {
	if full.Before(now) {
		full = now
	}
	return full.Add(l.every)
}

// sender is the key of a limit.
type sender struct {
	source  string
	network netip.Prefix
}

// generations is a map that forgets: when newer is full it becomes older, and the
// previous older is dropped.
type generations[V any] struct{ newer, older map[sender]V }

func (g *generations[V]) get(s sender) (V, bool) {
	v, ok := g.newer[s]
	if !ok {
		v, ok = g.older[s]
	}
	return v, ok
}

func (g *generations[V]) set(s sender, v V) {
	if _, ok := g.newer[s]; !ok && len(g.newer) >= maxSenders {
		g.newer, g.older = nil, g.newer
	}
	if g.newer == nil {
		g.newer = map[sender]V{}
	}
	g.newer[s] = v
}

// proof says that a webhook of a sender was verified.
type proof struct {
	at      time.Time
	guesses time.Time // state of the limit guesses
}

// failureLimiter limits how often a sender may fail, and so how fast it can guess a
// secret. Only verified senders are in proved, so a forger with many addresses does
// not push them out.
type failureLimiter struct {
	mu     sync.Mutex
	failed generations[time.Time] // state of the limit failures
	proved generations[proof]
}

// admission says whether a webhook may be read and verified.
type admission struct {
	// wait is zero, or how long the sender has to wait.
	wait time.Duration
	// proved: a webhook of the sender was verified lately; fresh: within proveEvery.
	proved, fresh bool
}

// admit decides about a webhook before its body is read, and again before it is
// verified: a sender may have begun many at once.
func (f *failureLimiter) admit(s sender, now time.Time) admission {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, ok := f.proved.get(s); ok && now.Sub(p.at) < provedFor {
		return admission{wait: guesses.wait(p.guesses, now), proved: true, fresh: now.Sub(p.at) < proveEvery}
	}
	full, _ := f.failed.get(s)
	return admission{wait: failures.wait(full, now)}
}

// add counts a refused request or a handshake. It returns zero, or how long the
// sender should wait.
func (f *failureLimiter) add(s sender, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	full, _ := f.failed.get(s)
	wait := failures.wait(full, now)
	if wait == 0 {
		f.failed.set(s, failures.take(full, now))
	}
	return wait
}

// guessed counts a failed verification against a sender that has proved itself.
func (f *failureLimiter) guessed(s sender, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, ok := f.proved.get(s); ok {
		p.guesses = guesses.take(p.guesses, now)
		f.proved.set(s, p)
	}
}

// prove remembers that a webhook of the sender was verified.
func (f *failureLimiter) prove(s sender, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, _ := f.proved.get(s)
	p.at = now
	f.proved.set(s, p)
	f.proved.set(sender{network: s.network}, proof{at: now})
}

// knows reports whether a webhook of the network was verified lately, for any source.
func (f *failureLimiter) knows(network netip.Prefix, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.proved.get(sender{network: network})
	return ok && now.Sub(p.at) < provedFor
}

// refuseUnverified refuses a sender that is not verified: with the given status,
// or with 429 if it has failed too often.
func (in Intake) refuseUnverified(c *gin.Context, line *logLine, status int, word, message string) {
	line.unverified = true
	if wait := in.failures.add(line.sender(), time.Now()); wait > 0 {
		in.refuseLimited(c, line, wait)
		return
	}
	if line.bytes == 0 {
		closeUnread(c)
	}
	refuse(c, status, word, message)
}

// refuseLimited answers 429.
func (in Intake) refuseLimited(c *gin.Context, line *logLine, wait time.Duration) {
	line.unverified, line.limited = true, true
	if line.reason == "" {
		line.reason = "too_many_failures"
	}
	refuseBusy(c, http.StatusTooManyRequests, wait, "too_many_failures", "too many webhooks from this address were refused; wait")
}

// refuseBusy refuses a request, most of them before the body was read.
func refuseBusy(c *gin.Context, status int, wait time.Duration, word, message string) {
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	closeUnread(c)
	refuse(c, status, word, message)
}

// closeUnread closes the connection after the answer to a request whose body was not
// read: net/http would otherwise wait for the rest of it before it answers. On HTTP/2
// the answer ends the stream.
func closeUnread(c *gin.Context) {
	if c.Request.ProtoMajor == 1 && c.Request.ContentLength != 0 {
		c.Header("Connection", "close")
	}
}
