//go:build unix

package crash_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// host is a machine, or what is like one to a process.
type host struct {
	// address is the IP address of its network.
	address string
	// start starts a command on it.
	start func(*exec.Cmd) error
}

// loopback is this machine.
var loopback = host{"127.0.0.1", (*exec.Cmd).Start}

// process is one process of a program, from its start to its exit.
type process struct {
	cmd *exec.Cmd
	// stdin stays open as long as the test runs; the program ends with it.
	stdin io.Closer
	// exited is closed when the process has ended and its output has been read.
	exited chan struct{}

	mu     sync.Mutex
	lines  []string
	killed bool
	// started holds the addresses that a bridge logs once it is ready.
	started addresses
}

// addresses are the addresses that a bridge logs when it has started.
type addresses struct {
	Webhooks string `json:"webhooks"`
	NATS     string `json:"nats"`
}

// launch starts a program on a host. onLine, which may be nil, is called with each line
// that it writes to standard error.
func launch(h host, program string, environ, arguments []string, onLine func(*process, string)) (*process, error) {
	cmd := exec.Command(program, arguments...)
	cmd.Env = environ
	p := &process{cmd: cmd, exited: make(chan struct{})}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := h.start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		defer close(p.exited)
		p.listen(stderr, onLine)
		_ = cmd.Wait()
	}()
	return p, nil
}

func (p *process) listen(stderr io.Reader, onLine func(*process, string)) {
	for reader := bufio.NewReader(stderr); ; {
		line, err := reader.ReadString('\n')
		if line != "" {
			p.record(strings.TrimSpace(line))
			if onLine != nil {
				onLine(p, line)
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *process) record(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	if strings.Contains(line, `"process.started"`) {
		_ = json.Unmarshal([]byte(line), &p.started)
	}
}

// logged reports whether a line holds all of the texts.
func (p *process) logged(texts ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		missing := 0
		for _, text := range texts {
			if !strings.Contains(line, text) {
				missing++
			}
		}
		if missing == 0 {
			return true
		}
	}
	return false
}

// loggedAfter reports whether a line with the second text comes after one with
// the first.
func (p *process) loggedAfter(first, second string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, after, found := strings.Cut(strings.Join(p.lines, "\n"), first)
	return found && strings.Contains(after, second)
}

// logTail returns the last lines of its output.
func (p *process) logTail(most int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines[max(0, len(p.lines)-most):], "\n")
}

// addresses returns its addresses; empty until it is ready, and after its end.
func (p *process) addresses() addresses {
	if p == nil || p.gone() {
		return addresses{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// kill sends SIGKILL and waits for the end of the process. It reports whether the
// process was running.
func (p *process) kill() bool {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	alive := p.cmd.Process.Signal(syscall.SIGKILL) == nil
	<-p.exited
	return alive
}

// exitCode is valid after the end of the process; -1 if a signal ended it.
func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

// exitedUnexpectedly reports whether the process ended without a kill.
func (p *process) exitedUnexpectedly() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.killed && p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL
}

// supervisor keeps one program running: it restarts it after its end, and resumes it
// some time after a freeze.
type supervisor struct {
	name   string
	launch func(onLine func(*process, string)) (*process, error)
	// freezeFor returns how long a process that froze itself stays frozen.
	freezeFor func() time.Duration
	// unreliable: the program may fail to start while NATS is down.
	unreliable bool

	stop  chan struct{}
	ended sync.WaitGroup

	// launching is locked while the program must not be started.
	launching sync.Mutex

	mu           sync.Mutex
	current      *process
	frozen       freeze
	pointActions []string

	kills, pointKills, freezes, pointFreezes, longFreezes atomic.Int64
}

// freeze is one SIGSTOP of one process.
type freeze struct {
	process *process
	until   time.Time
	long    bool
}

// longFreeze is the duration from which a freeze counts as longer than a claim.
const longFreeze = claimAge + 500*time.Millisecond

// restartAfter is the pause of a supervisor, such as systemd, before a restart.
const restartAfter = 50 * time.Millisecond

// supervise runs the program until the test ends.
func (s *supervisor) supervise(t *testing.T) {
	s.stop = make(chan struct{})
	s.ended.Go(func() { s.run(t) })
	s.ended.Go(s.resumeFrozen)
	t.Cleanup(func() {
		close(s.stop)
		s.ended.Wait()
	})
}

func (s *supervisor) run(t *testing.T) {
	for {
		s.launching.Lock()
		p, err := s.launch(s.onLine)
		s.launching.Unlock()
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
		if p.exitedUnexpectedly() && !s.unreliable {
			t.Errorf("%s ended by itself with code %d:\n%s", s.name, p.exitCode(), p.logTail(20))
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
	s.pointActions = append(s.pointActions, act)
	s.mu.Unlock()
	if strings.HasPrefix(act, "kill") {
		s.pointKills.Add(1)
		return
	}
	s.pointFreezes.Add(1)
	s.recordFreeze(p, s.freezeFor())
}

// actions returns what its processes did at crash points, such as "kill at claimed".
func (s *supervisor) actions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pointActions)
}

// kill kills the current process, if there is one.
func (s *supervisor) kill() {
	if p := s.process(); p != nil && p.kill() {
		s.kills.Add(1)
	}
}

// takeDown kills the current process and prevents a restart until restore is called,
// which a failing test must do as well.
func (s *supervisor) takeDown() (restore func()) {
	s.launching.Lock()
	s.kill()
	return sync.OnceFunc(s.launching.Unlock)
}

// freeze stops the current process for a while.
func (s *supervisor) freeze(d time.Duration) {
	p := s.process()
	if p == nil || p.gone() {
		return
	}
	p.signal(syscall.SIGSTOP)
	s.recordFreeze(p, d)
	s.freezes.Add(1)
}

func (s *supervisor) recordFreeze(p *process, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = freeze{process: p, until: time.Now().Add(d), long: d > longFreeze}
}

// resumeFrozen resumes frozen processes. It sends SIGCONT more than once, since a
// process that stops itself announces it before it does.
func (s *supervisor) resumeFrozen() {
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
