package handlers

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
)

const (
	// failureBurst is how many unverified webhooks a network may send in a row
	// for one source; failureEvery is the time after which it may send one more.
	failureBurst = 30
	failureEvery = 2 * time.Second
	// maxSenders is the size of each of the two generations of limiters: a
	// sender with many addresses must not exhaust the memory.
	maxSenders = 4096
)

// failureLimiter limits the rate of failures per sender. It is asked only after
// a failure, so a verified sender is never limited, not even if a forger uses
// its address.
type failureLimiter struct {
	mu sync.Mutex
	// When newer is full it becomes older, and the previous older is dropped.
	newer, older map[sender]*rate.Limiter
}

// sender is the key of a limiter. A whole IPv6 /64 is one sender: usually one
// host or site has all of its addresses.
type sender struct {
	source  string
	network netip.Prefix
}

func newFailureLimiter() *failureLimiter {
	return &failureLimiter{newer: map[sender]*rate.Limiter{}}
}

// add counts a failure. It returns zero, or how long the sender should wait.
func (f *failureLimiter) add(source, address string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.limiter(sender{source, networkOf(address)}).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (f *failureLimiter) limiter(s sender) *rate.Limiter {
	l, ok := f.newer[s]
	if ok {
		return l
	}
	if l, ok = f.older[s]; !ok {
		l = rate.NewLimiter(rate.Every(failureEvery), failureBurst)
	}
	if len(f.newer) == maxSenders {
		f.newer, f.older = map[sender]*rate.Limiter{}, f.newer
	}
	f.newer[s] = l
	return l
}

// networkOf returns an IPv4 address as /32, the /64 of an IPv6 address, and the
// zero prefix for text that is not an address.
func networkOf(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap()
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}

// refuseUnverified refuses a sender that is not verified: with the given status,
// or with 429 if it has failed too often.
func (in Intake) refuseUnverified(c *gin.Context, line *logLine, status int, word, message string) {
	wait := in.failures.add(line.source, c.ClientIP(), time.Now())
	if wait == 0 {
		refuse(c, status, word, message)
		return
	}
	line.limited = true
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	refuse(c, http.StatusTooManyRequests, "too_many_failures", "too many webhooks from this address were refused; wait")
}
