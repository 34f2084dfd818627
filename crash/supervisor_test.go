//go:build unix

package crash_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// supervisor keeps one program running: it starts it again whenever it died,
// and lets it go on some time after it was frozen.
type supervisor struct {
	name   string
	launch func(onLine func(*process, string)) (*process, error)
	// freezeFor says how long a process that froze itself stays so.
	freezeFor func() time.Duration
	// unreliable: what it needs may be away, so it may refuse to start.
	unreliable bool

	stop  chan struct{}
	ended sync.WaitGroup

	// gate is locked while the program is to stay away.
	gate sync.Mutex

	mu      sync.Mutex
	current *process
	frozen  freeze
	struck  []string

	kills, pointKills, freezes, pointFreezes, longFreezes atomic.Int64
}

// freeze is one stop of one process.
type freeze struct {
	process *process
	until   time.Time
	long    bool
}

// longFreeze is what counts as longer than a claim lives.
const longFreeze = claimAge + 500*time.Millisecond

// restartAfter is the pause of a supervisor, such as systemd, between two
// lives.
const restartAfter = 50 * time.Millisecond

// supervise runs the program until the test is over.
func (s *supervisor) supervise(t *testing.T) {
	s.stop = make(chan struct{})
	s.ended.Go(func() { s.live(t) })
	s.ended.Go(s.thaw)
	t.Cleanup(func() {
		close(s.stop)
		s.ended.Wait()
	})
}

func (s *supervisor) live(t *testing.T) {
	for {
		s.gate.Lock()
		p, err := s.launch(s.onLine)
		s.gate.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		s.mu.Lock()
		s.current = p
		s.mu.Unlock()
		select {
		case <-s.stop:
			p.kill()
		case <-p.exited:
		}
		_ = p.stdin.Close()
		if p.diedAlone() && !s.unreliable {
			t.Errorf("%s ended by itself with code %d:\n%s", s.name, p.exitCode(), p.lastWords(20))
		}
		select {
		case <-s.stop:
			return
		case <-time.After(restartAfter):
		}
	}
}

func (s *supervisor) onLine(p *process, line string) {
	act, is := strings.CutPrefix(strings.TrimSpace(line), "crashtest: ")
	if !is {
		return
	}
	s.mu.Lock()
	s.struck = append(s.struck, act)
	s.mu.Unlock()
	if strings.HasPrefix(act, "kill") {
		s.pointKills.Add(1)
		return
	}
	s.pointFreezes.Add(1)
	s.noteFreeze(p, s.freezeFor())
}

// strikes are what its processes have done to themselves, such as "kill at
// claimed".
func (s *supervisor) strikes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.struck)
}

// kill ends the present life. It does nothing while there is none.
func (s *supervisor) kill() {
	if p := s.process(); p != nil && p.kill() {
		s.kills.Add(1)
	}
}

// away ends the present life and keeps the program from being started until
// back is called; a test that fails before that must call it, too.
func (s *supervisor) away() (back func()) {
	s.gate.Lock()
	s.kill()
	return sync.OnceFunc(s.gate.Unlock)
}

// freeze stops the present life for a while.
func (s *supervisor) freeze(d time.Duration) {
	p := s.process()
	if p == nil || p.gone() {
		return
	}
	p.signal(syscall.SIGSTOP)
	s.noteFreeze(p, d)
	s.freezes.Add(1)
}

func (s *supervisor) noteFreeze(p *process, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = freeze{process: p, until: time.Now().Add(d), long: d > longFreeze}
}

// thaw lets frozen processes go on. It says so more than once: a process that
// stops itself announces it before it does.
func (s *supervisor) thaw() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		f := s.frozen
		over := f.process != nil && time.Now().After(f.until)
		if over && f.long && !f.process.gone() {
			s.longFreezes.Add(1)
			s.frozen.long = false
		}
		s.mu.Unlock()
		if over {
			f.process.signal(syscall.SIGCONT)
		}
	}
}

func (s *supervisor) isFrozen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen.process == s.current && time.Now().Before(s.frozen.until)
}

func (s *supervisor) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *supervisor) up() bool { return s.process().addresses().Webhooks != "" }
