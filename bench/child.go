package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// child is a process that is measured from outside, as an operator would.
type child struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
	// peak is the most resident memory that was seen, in bytes.
	peak atomic.Int64
}

// launch starts a program. What it says goes to a file in dir.
func launch(dir, name, program string, environ []string, arguments ...string) (*child, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	defer log.Close()
	c := &child{name: name, cmd: exec.Command(program, arguments...), exited: make(chan struct{})}
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = append(os.Environ(), environ...), log, log
	c.cmd.Dir = dir
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.exited)
	}()
	go c.watch()
	return c, nil
}

// watchEvery is how often memory is looked at.
const watchEvery = 50 * time.Millisecond

func (c *child) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.exited:
			return
		case <-tick.C:
			if now := c.memory(); now > c.peak.Load() {
				c.peak.Store(now)
			}
		}
	}
}

// memory is what the process has resident now, in bytes; 0 where the system
// has no /proc.
func (c *child) memory() int64 {
	status, _ := os.ReadFile(c.proc("status"))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
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

// cpu is the processor time that the process has used so far.
func (c *child) cpu() time.Duration {
	stat, _ := os.ReadFile(c.proc("stat"))
	// The name may hold blanks; what follows its bracket may not.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

func (c *child) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid), file)
}

// kill ends the process without giving it a chance.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// stop asks the process to end, and kills it if it does not.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(os.Interrupt)
	select {
	case <-c.exited:
	case <-time.After(20 * time.Second):
		c.kill()
	}
}

// startTimeout is how long a system may take until it answers.
const startTimeout = time.Minute

// answers waits until url is answered with 2xx, or the address of a tcp:// URL
// can be reached.
func (c *child) answers(url string) error {
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if reached(url) {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("%s ended before it was ready; see its log", c.name)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s did not answer at %s within %s", c.name, url, startTimeout)
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

// freeAddress is an address on loopback that nobody listens on just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func freeAddresses(into ...*string) error {
	for _, address := range into {
		var err error
		if *address, err = freeAddress(); err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
	}
	return nil
}
