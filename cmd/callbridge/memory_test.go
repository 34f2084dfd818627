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
			m := memory{alive: alive, scanned: alive / 2, other: 30 << 20}
			got := memoryLimit(m, rate)
			if got < leastLimit || got < int64(alive+m.other+max(leastRoom, alive/4)) ||
				got > int64(max(leastLimit, m.other+alive+max(mostRoom, alive/2))) {
				t.Errorf("%d MiB alive, %d MiB/s: limit %d MiB", alive>>20, rate>>20, got>>20)
			}
			if got < memoryLimit(m, 0) {
				t.Errorf("%d MiB alive, %d MiB/s: less room than for a process that rests", alive>>20, rate>>20)
			}
		}
	}
}

// The numbers are of measured processes, all with the same few megabytes beside.
func TestMemoryLimitFollowsWhatCollectingCosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                 string
		alive, scanned, rate uint64 // MiB
		least, most          int64  // room, in MiB
	}{
		{"resting", 45, 10, 0, 16, 16},
		{"a thousand webhooks a second with calls", 45, 10, 60, 16, 24},
		{"as many webhooks as it can take", 45, 20, 200, 48, 56},
		{"the same, with a million kept", 340, 150, 200, 160, 176},
		{"resting, with a million kept", 340, 150, 0, 80, 88},
	} {
		const other = 30
		m := memory{alive: c.alive << 20, scanned: c.scanned << 20, other: other << 20}
		room := memoryLimit(m, c.rate<<20)>>20 - int64(c.alive) - other
		if room < c.least || room > c.most {
			t.Errorf("%s: room of %d MiB, want %d to %d", c.name, room, c.least, c.most)
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
	if after.alive < 64<<20 || after.allocated-before.allocated < 64<<20 || after.other == 0 || after.scanned == 0 || after.other > 1<<30 {
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
