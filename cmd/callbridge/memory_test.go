package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// debug.SetMemoryLimit with a negative number only reads.
func limit() int64 { return debug.SetMemoryLimit(-1) }

func TestMemoryLimitLeavesRoom(t *testing.T) {
	t.Parallel()
	for _, alive := range []uint64{0, 1 << 20, 40 << 20, 500 << 20, 8 << 30} {
		if got := memoryLimit(alive); got < leastLimit || got < int64(alive+roomBeside) || got > int64(2*alive+leastLimit) {
			t.Errorf("%d MiB alive: limit %d MiB", alive>>20, got>>20)
		}
	}
}

// Not parallel: the limit is the whole process's.
func TestMemoryIsBoundedWhileTheProcessRuns(t *testing.T) {
	before := limit()
	for _, c := range []struct {
		gogc, memlimit string
		bounded        bool
	}{{"", "", true}, {"50", "", false}, {"", "1GiB", false}} {
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.memlimit)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		ended := make(chan struct{})
		go func() { defer close(ended); boundMemory(ctx) }()
		if c.bounded {
			for limit() == before && ctx.Err() == nil {
				runtime.Gosched()
			}
			if limit() == before {
				t.Error("no limit is set")
			}
			cancel()
		}
		<-ended
		cancel()
		if limit() != before {
			t.Errorf("GOGC=%s GOMEMLIMIT=%s: limit %d is left, was %d", c.gogc, c.memlimit, limit(), before)
		}
	}
}
