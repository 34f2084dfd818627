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

// child is a process that is measured from outside, as an operator would.
type child struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
	// log is the file that holds what it says.
	log string
}

// inherited is all of the environment that a child gets from us. What callbridge
// or Bento would read there, such as the address of a NATS that is in use, is
// none of a benchmark's business.
var inherited = []string{"PATH", "HOME", "TMPDIR"}

// launch starts a program in dir. It ends with this one.
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
	endWithParent(c.cmd)
	started := make(chan error)
	go func() {
		// The thread has to live as long as the child: see endWithParent.
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

// kill ends the process without giving it a chance.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// peak is the most memory that the process has had resident, in bytes; 0 where
// the system has no /proc.
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

// cpu is the processor time that a process has used so far; 0 where the system
// has no /proc.
func cpu(pid int) time.Duration {
	stat, _ := os.ReadFile(proc(pid, "stat"))
	// The name may hold blanks; what follows its bracket may not.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

func proc(pid int, file string) string { return filepath.Join("/proc", strconv.Itoa(pid), file) }

// startTimeout is how long a system may take until it answers.
const startTimeout = time.Minute

// answers waits until url is answered with 2xx, or the address of a tcp:// URL
// can be reached.
func (c *child) answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if reached(url) {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("%s ended before it was ready: %s", c.name, c.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s at %s: %w", c.name, url, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// lastWords are the end of its log.
func (c *child) lastWords() string {
	text, _ := os.ReadFile(c.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

func reached(url string) bool {
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

// freeAddresses finds addresses on loopback that nobody listens on just now.
func freeAddresses(into ...*string) error {
	for _, address := range into {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		// Closed at the end, so that none is found twice.
		defer l.Close()
		*address = l.Addr().String()
	}
	return nil
}
