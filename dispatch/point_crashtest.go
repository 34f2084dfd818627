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

// crashPlan is what package crash asks of a process, as JSON in CRASHTEST_PLAN.
type crashPlan struct {
	Seed uint64 `json:"seed"`
	// Kill and Freeze are how likely the process ends or stops itself at a
	// point; the name "*" stands for every point that has no entry.
	Kill   map[string]float64 `json:"kill"`
	Freeze map[string]float64 `json:"freeze"`
	// FenceOff leaves the write window open for ever, LedgerOff lets every
	// claim succeed: the negative controls.
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

func fence(w callab.Window) callab.Window {
	if crash().FenceOff {
		w.Length = time.Hour
	}
	return w
}

// point is a moment at which a process may die or stop. It says so on standard
// error first, since nothing can be said afterwards.
func point(name string) {
	c := crash()
	switch {
	case c.strikes(c.Kill, name):
		c.end("kill", name, syscall.SIGKILL)
		select {}
	case c.strikes(c.Freeze, name):
		c.end("freeze", name, syscall.SIGSTOP)
		stopped()
	}
}

// stopped returns after the process was stopped and goes on. The signal takes
// effect a moment after it was sent, and nothing may happen until then; it
// shows as a gap in time. To wait without a pause also keeps timers, such as
// the deadline of a write, from being looked at before the next step.
func stopped() {
	const gap, limit = 30 * time.Millisecond, time.Second
	for start, last := time.Now(), time.Now(); time.Since(last) < gap && time.Since(start) < limit; {
		last = time.Now()
	}
}

func (c *crasher) strikes(chances map[string]float64, name string) bool {
	chance, named := chances[name]
	if !named {
		chance = chances["*"]
	}
	if chance == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.Float64() < chance
}

func (c *crasher) end(act, name string, signal syscall.Signal) {
	_, _ = fmt.Fprintf(os.Stderr, "crashtest: %s at %s\n", act, name)
	_ = syscall.Kill(os.Getpid(), signal)
}

// Trace puts points where only the client of Callab passes.
func Trace() *callab.Trace {
	return &callab.Trace{
		GotConn:        func() { point("connected") },
		BeforeWrite:    func() { point("fence-passed") },
		WroteFirstByte: func() { point("first-byte") },
		GotAnswer:      func() { point("answered") },
	}
}
