//go:build unix

package crash_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// process is one life of a program: from its start to its exit.
type process struct {
	cmd *exec.Cmd
	// stdin stays open as long as this test lives; the program ends with it.
	stdin io.Closer
	// exited is closed when the process is gone and all it said is read.
	exited chan struct{}

	mu     sync.Mutex
	lines  []string
	killed bool
	// started are the addresses that a bridge says it has, once it is up.
	started addresses
}

// addresses is what a bridge logs when it has started.
type addresses struct {
	Webhooks string `json:"webhooks"`
	NATS     string `json:"nats"`
}

// launch starts a program. onLine, which may be nil, is called with each line
// that it writes to standard error.
func launch(program string, environ, arguments []string, onLine func(*process, string)) (*process, error) {
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
	if err := cmd.Start(); err != nil {
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
			p.keep(strings.TrimSpace(line))
			if onLine != nil {
				onLine(p, line)
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	if strings.Contains(line, `"process.started"`) {
		_ = json.Unmarshal([]byte(line), &p.started)
	}
}

// said reports whether a line holds all of the texts.
func (p *process) said(texts ...string) bool {
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

// lastWords are the end of what it wrote.
func (p *process) lastWords(most int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines[max(0, len(p.lines)-most):], "\n")
}

// addresses are empty until the bridge is up, and when it is gone.
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

// kill ends the process without giving it a chance, and waits until it is
// gone. It reports whether it was alive.
func (p *process) kill() bool {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	alive := p.cmd.Process.Signal(syscall.SIGKILL) == nil
	<-p.exited
	return alive
}

// exitCode is valid when the process is gone; -1 if a signal ended it.
func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

// diedAlone reports whether a process that is gone ended in a way that nobody
// had asked for.
func (p *process) diedAlone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.killed && p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL
}
