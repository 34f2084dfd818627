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
	// failureBurst is how many webhooks of one address may fail in a row for
	// one source; failureEvery is how fast that number comes back.
	failureBurst = 30
	failureEvery = 2 * time.Second
	// maxFailing bounds the addresses that are remembered, twice: whoever has
	// many of them must not fill the memory.
	maxFailing = 4096
)

// failures counts those who could not prove who they are. It is asked after a
// failure only: a sender that is verified is never held up, whatever others
// do in its name or from its address.
type failures struct {
	mu sync.Mutex
	// Full, newer becomes older, and what was older is forgotten.
	newer, older map[failing]*rate.Limiter
}

// failing is who fails: an IPv6 network counts as one, since its owner has all
// the addresses in it.
type failing struct {
	source string
	from   netip.Prefix
}

func newFailures() *failures { return &failures{newer: map[failing]*rate.Limiter{}} }

// wait takes note of a failure. It returns zero, or when the next one is let
// through.
func (f *failures) wait(source, address string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.limiter(failing{source, network(address)}).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (f *failures) limiter(who failing) *rate.Limiter {
	l, known := f.newer[who]
	if known {
		return l
	}
	if l, known = f.older[who]; !known {
		l = rate.NewLimiter(rate.Every(failureEvery), failureBurst)
	}
	if len(f.newer) == maxFailing {
		f.newer, f.older = map[failing]*rate.Limiter{}, f.newer
	}
	f.newer[who] = l
	return l
}

// network is the /64 of an IPv6 address, an IPv4 address as it is, and nothing
// for what is neither.
func network(address string) netip.Prefix {
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

// turnAway refuses somebody who has not proven who they are, and asks those
// who go on to wait.
func (in Intake) turnAway(c *gin.Context, line *line, status int, word, message string) {
	wait := in.failures.wait(line.source, c.ClientIP(), time.Now())
	if wait == 0 {
		refuse(c, status, word, message)
		return
	}
	line.limited = true
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	refuse(c, http.StatusTooManyRequests, "too_many_failures", "too many webhooks from this address were refused; wait")
}
