//go:build linux

package network

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// isolatedVariable is set in a process that Isolate has started.
const isolatedVariable = "CRASH_NETWORK"

// Isolated reports whether this process was started by a command of Isolate.
func Isolated() bool { return os.Getenv(isolatedVariable) != "" }

// Isolate lets a command run in a network namespace of its own, and without root in a
// user namespace in which it is root. Not every kernel allows the latter.
func Isolate(cmd *exec.Cmd) {
	cmd.Env = append(os.Environ(), isolatedVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		return
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
}

// Available returns why networks cannot be made here, or nil.
func Available() error {
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return fmt.Errorf("network namespaces need /dev/net/tun: %w", err)
	}
	probe := exec.Command("/proc/self/exe", "-test.run=^$")
	Isolate(probe)
	if out, err := probe.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("make a network namespace, which needs root or user namespaces: %w", err), errors.New(string(out)))
	}
	return nil
}
