package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Values of NATS_SYNC.
const (
	syncInterval = "interval"
	syncAlways   = "always"
)

// job configures a system.
type job struct {
	// dir is the directory for its files.
	dir string
	// sync is the NATS_SYNC setting.
	sync string
	// api is the URL of the Callab API.
	api string
	// storeOnly: webhooks are stored, and hardly any calls are placed.
	storeOnly bool
	// routes is the number of callbridge's routes; 1 if zero.
	routes int
}

// system is a program, or several, that does the job.
type system struct {
	name string
	// start enters each process that it has started into running, so that all
	// are stopped if a later one fails.
	start func(context.Context, job, *running) error
}

// running is a started system.
type running struct {
	// address and path receive webhooks; listPath is callbridge's path for
	// lists of contacts.
	address, path, listPath string
	// admin is the address of callbridge's metrics.
	admin string
	// intake is the process that receives the webhooks, natsServer its NATS
	// server if that is a separate process.
	intake, natsServer *child
	// restart starts the intake again after it was killed.
	restart func(context.Context) error
	// nats is the URL of its NATS; empty if it stores nothing.
	nats string
	// store is the directory with the passwords of callbridge's NATS; other systems
	// have no users.
	store string
	// requests and results are the names of its streams.
	requests, results string
	// next is the number of the next contact; accepted holds the numbers of the
	// webhooks accepted so far.
	next     int
	accepted []int
}

// withSystem starts a system in its own directory, calls use, and stops it.
func (b *bench) withSystem(ctx context.Context, s system, j job, use func(*running) error) error {
	b.started++
	j.dir = filepath.Join(b.dir, fmt.Sprintf("%03d", b.started))
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return fmt.Errorf("make a directory for %s: %w", s.name, err)
	}
	defer func() { _ = os.RemoveAll(j.dir) }()
	r := &running{path: "/webhooks/bench"}
	defer r.kill()
	if err := s.start(ctx, j, r); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	return use(r)
}

func (r *running) processes() (all []*child) {
	for _, c := range []*child{r.intake, r.natsServer} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

func (r *running) kill() {
	for _, c := range r.processes() {
		c.kill()
	}
}

func (r *running) cpu() (sum time.Duration) {
	for _, c := range r.processes() {
		sum += cpu(c.cmd.Process.Pid)
	}
	return sum
}

// peak returns the sum of the peak memory of all processes.
func (r *running) peak() (sum int64) {
	for _, c := range r.processes() {
		sum += c.peak()
	}
	return sum
}

// send runs a load with new numbers. A webhook that is not accepted is an error,
// since no load here is meant to be refused.
func (r *running) send(ctx context.Context, l load) (report, error) {
	l.address, l.contacts, l.first = r.address, max(1, l.contacts), r.next
	if l.path == "" {
		l.path = r.path
	}
	seen := l.run(ctx)
	r.next, r.accepted = seen.next, append(r.accepted, seen.accepted...)
	if seen.errors > 0 && ctx.Err() == nil {
		return seen, fmt.Errorf("%d of %d webhooks were not accepted", seen.errors, seen.errors+len(seen.accepted))
	}
	return seen, ctx.Err()
}

// warm sends some webhooks before the measurement.
func (r *running) warm(ctx context.Context) error {
	_, err := r.send(ctx, load{connections: 8, count: 500})
	return err
}

// child is a process whose use of the machine is measured from outside.
type child struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
	// log is the file with its standard output and error.
	log string
}

// inherited lists the environment variables that a child inherits. Others could
// configure callbridge or Bento, for example with the address of a NATS in use.
var inherited = []string{"PATH", "HOME", "TMPDIR"}

// launch starts a program in dir. It is killed when this program ends.
func launch(dir, name, program string, environ []string, arguments ...string) (*child, error) {
	c := &child{name: name, cmd: exec.Command(program, arguments...), exited: make(chan struct{}), log: filepath.Join(dir, name+".log")}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	defer log.Close()
	c.cmd.Dir, c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = dir, environ, log, log
	for _, key := range inherited {
		if value, set := os.LookupEnv(key); set {
			c.cmd.Env = append(c.cmd.Env, key+"="+value)
		}
	}
	killWithParent(c.cmd)
	started := make(chan error)
	go func() {
		// The thread must exist as long as the child: see killWithParent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.exited)
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// kill sends SIGKILL and waits for the process to end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// peak returns the peak resident memory of the process in bytes; 0 without /proc.
func (c *child) peak() int64 {
	status, _ := os.ReadFile(proc(c.cmd.Process.Pid, "status"))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// clockTick is the unit of /proc/PID/stat: 1/100 s on every Linux that Go
// runs on (getconf CLK_TCK).
const clockTick = 10 * time.Millisecond

// cpu returns the processor time that a process has used so far; 0 without /proc.
func cpu(pid int) time.Duration {
	stat, _ := os.ReadFile(proc(pid, "stat"))
	// The name in parentheses may hold spaces; the fields after it do not.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

func proc(pid int, file string) string { return filepath.Join("/proc", strconv.Itoa(pid), file) }

// startTimeout bounds the time from the start of a system to its first answer.
const startTimeout = time.Minute

// waitReady waits until url is answered with 2xx, or until a tcp:// address
// accepts connections.
func (c *child) waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if reachable(url) {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("%s ended before it was ready: %s", c.name, c.logTail())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s at %s: %w", c.name, url, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// logTail returns the last lines of its log.
func (c *child) logTail() string {
	text, _ := os.ReadFile(c.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

func reachable(url string) bool {
	if address, is := strings.CutPrefix(url, "tcp://"); is {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}

// freeAddresses finds loopback addresses with a free port.
func freeAddresses(into ...*string) error {
	for _, address := range into {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		// Closed at the end, so that no port is found twice.
		defer l.Close()
		*address = l.Addr().String()
	}
	return nil
}
