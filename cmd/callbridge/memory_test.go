package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// debug.SetMemoryLimit with a negative number only reads.
func limit() int64 { return debug.SetMemoryLimit(-1) }

func TestMemoryLimitLeavesRoom(t *testing.T) {
	t.Parallel()
	for _, alive := range []uint64{0, 1 << 20, 40 << 20, 500 << 20, 8 << 30} {
		for _, rate := range []uint64{0, 200 << 20, 8 << 30} {
			const other = 30 << 20
			got := memoryLimit(memory{alive: alive, other: other}, rate)
			if got < leastLimit || got < int64(alive+other+leastRoom) || got > int64(alive+alive/4+other+leastLimit+mostRoom) {
				t.Errorf("%d MiB alive, %d MiB/s: limit %d MiB", alive>>20, rate>>20, got>>20)
			}
			if got < memoryLimit(memory{alive: alive, other: other}, 0) {
				t.Errorf("%d MiB alive, %d MiB/s: less room than for a process that rests", alive>>20, rate>>20)
			}
		}
	}
}

func TestMemoryIsRead(t *testing.T) {
	t.Parallel()
	before := readMemory()
	kept := make([][]byte, 64)
	for i := range kept {
		kept[i] = make([]byte, 1<<20)
	}
	runtime.GC()
	after := readMemory()
	if after.alive < 64<<20 || after.allocated-before.allocated < 64<<20 || after.other == 0 || after.other > 1<<30 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	runtime.KeepAlive(kept)
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

// percent is how much the heap may grow before it is collected.
func percent() uint64 {
	samples := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}

// Not parallel: the percentage is the whole process's.
func TestAProcessThatStartsMayGrow(t *testing.T) {
	before := percent()
	for _, c := range []struct {
		gogc, memlimit string
		want           uint64
	}{{"", "", gcPercent}, {"50", "", before}, {"", "1GiB", before}} {
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.memlimit)
		undo := letGrow()
		if got := percent(); got != c.want {
			t.Errorf("GOGC=%s GOMEMLIMIT=%s: %d%%, want %d%%", c.gogc, c.memlimit, got, c.want)
		}
		if undo(); percent() != before {
			t.Errorf("GOGC=%s GOMEMLIMIT=%s: %d%% is left, was %d%%", c.gogc, c.memlimit, percent(), before)
		}
	}
}
