//go:build !linux

package main

import (
	"os/exec"
	"time"
)

// killWithParent does nothing: only Linux supports it.
func killWithParent(*exec.Cmd) {}

// preciseTimer has the precision of Go's timers.
type preciseTimer struct{}

func newPreciseTimer() (*preciseTimer, error) { return &preciseTimer{}, nil }

func (*preciseTimer) sleep(d time.Duration) { time.Sleep(d) }

func (*preciseTimer) close() {}
