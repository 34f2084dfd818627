//go:build crashtest

package dispatch

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"

	"callbridge/callab"
)

// crashPlan says where this process kills or stops itself. Package crash passes it
// as JSON in CRASHTEST_PLAN.
type crashPlan struct {
	Seed uint64 `json:"seed"`
	// Kill and Freeze are the probabilities of SIGKILL and SIGSTOP at each
	// point; "*" is the default of points without an entry.
	Kill   map[string]float64 `json:"kill"`
	Freeze map[string]float64 `json:"freeze"`
	// FenceOff and LedgerOff are the negative controls: FenceOff never closes
	// the write window, LedgerOff lets every claim succeed.
	FenceOff  bool `json:"fence_off"`
	LedgerOff bool `json:"ledger_off"`
}

type crasher struct {
	crashPlan
	mu     sync.Mutex
	random *rand.Rand
}

var crash = sync.OnceValue(func() *crasher {
	var c crasher
	if text := os.Getenv("CRASHTEST_PLAN"); text != "" {
		if err := json.Unmarshal([]byte(text), &c.crashPlan); err != nil {
			panic("CRASHTEST_PLAN: " + err.Error())
		}
	}
	c.random = rand.New(rand.NewPCG(c.Seed, uint64(os.Getpid())))
	return &c
})

var ledgerOff = crash().LedgerOff

// crashtestWindow replaces a write window by one that does not close, for the
// negative control. The fence that enforces windows is in package callab.
func crashtestWindow(w callab.Window) callab.Window {
	if crash().FenceOff {
		w.Length = time.Hour
	}
	return w
}

// point kills or stops the process with the probability in the plan. It writes to
// standard error first, because it cannot afterwards.
func point(name string) {
	c := crash()
	switch {
	case c.hits(c.Kill, name):
		c.signal("kill", name, syscall.SIGKILL)
		select {}
	case c.hits(c.Freeze, name):
		c.signal("freeze", name, syscall.SIGSTOP)
		stopped()
	}
}

// stopped returns after the process was stopped and continued. SIGSTOP takes
// effect shortly after it was sent; a gap in time shows that it did, and until then
// nothing else may run. The busy loop also keeps timers, such as a write deadline,
// from firing before the next statement.
func stopped() {
	const gap, limit = 30 * time.Millisecond, time.Second
	for start, last := time.Now(), time.Now(); time.Since(last) < gap && time.Since(start) < limit; {
		last = time.Now()
	}
}

func (c *crasher) hits(probabilities map[string]float64, name string) bool {
	probability, named := probabilities[name]
	if !named {
		probability = probabilities["*"]
	}
	if probability == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.Float64() < probability
}

func (c *crasher) signal(act, name string, s syscall.Signal) {
	_, _ = fmt.Fprintf(os.Stderr, "crashtest: %s at %s\n", act, name)
	_ = syscall.Kill(os.Getpid(), s)
}

// Trace adds points inside the client of Callab.
func Trace() *callab.Trace {
	return &callab.Trace{
		GotConn:        func() { point("connected") },
		BeforeWrite:    func() { point("fence-passed") },
		WroteFirstByte: func() { point("first-byte") },
		GotAnswer:      func() { point("answered") },
	}
}
