package main

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killWithParent makes the kernel kill the process when the thread that started
// it ends, and thus also when this program is killed.
func killWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// preciseTimer wakes a goroutine within some microseconds and blocks only that
// goroutine. Go's timers have millisecond precision here, which would add to the
// measured latencies.
type preciseTimer struct {
	fd   int
	file *os.File
}

func newPreciseTimer() (*preciseTimer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &preciseTimer{fd, os.NewFile(uintptr(fd), "preciseTimer")}, nil
}

func (a *preciseTimer) sleep(d time.Duration) {
	if err := unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}, nil); err == nil {
		_, _ = a.file.Read(make([]byte, 8))
	}
}

func (a *preciseTimer) close() { _ = a.file.Close() }
