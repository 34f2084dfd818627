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

func TestGarbageHasRoom(t *testing.T) {
	t.Parallel()
	for _, alive := range []uint64{0, 1 << 20, 40 << 20, 500 << 20, 8 << 30} {
		for _, rate := range []uint64{0, 200 << 20, 8 << 30} {
			m := memory{alive: alive, scanned: alive / 2, other: 30 << 20}
			room := roomFor(m, rate)
			if room < max(leastRoom, alive/4) || room > max(mostRoom, alive/2) {
				t.Errorf("%d MiB alive, %d MiB/s: room of %d MiB", alive>>20, rate>>20, room>>20)
			}
			if room < roomFor(m, 0) {
				t.Errorf("%d MiB alive, %d MiB/s: less room than for a process that rests", alive>>20, rate>>20)
			}
			least := int64(m.other + alive + room)
			if m.small() {
				least += leastRoom
			}
			if limit := memoryLimit(m, room); limit < leastLimit || limit < least || limit > max(leastLimit, int64(m.other+alive+room)+64<<20) {
				t.Errorf("%d MiB alive, room of %d MiB: limit %d MiB", alive>>20, room>>20, limit>>20)
			}
		}
	}
}

// The numbers are of measured processes, all with the same few megabytes beside.
func TestRoomFollowsWhatCollectingCosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                 string
		alive, scanned, rate uint64 // MiB
		least, most          uint64 // room, in MiB
	}{
		{"resting", 45, 10, 0, 16, 16},
		{"a thousand webhooks a second with calls", 45, 10, 60, 16, 24},
		{"as many webhooks as it can take", 45, 20, 200, 48, 48},
		{"the same, and it places calls", 70, 30, 300, 26, 26},
		{"the same, seconds later", 116, 40, 300, 29, 29},
		{"the same, with a million kept", 340, 150, 200, 160, 176},
		{"resting, with a million kept", 340, 150, 0, 80, 88},
	} {
		room := roomFor(memory{alive: c.alive << 20, scanned: c.scanned << 20}, c.rate<<20) >> 20
		if room < c.least || room > c.most {
			t.Errorf("%s: room of %d MiB, want %d to %d", c.name, room, c.least, c.most)
		}
	}
}

func TestBoundKnowsWhenToCollectAndWhenToLook(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	began := time.Unix(0, 0)
	b := newBound(memory{allocated: 100 * mib}, began)
	if !b.follow(memory{allocated: 100 * mib}, began) || b.follow(memory{allocated: 900 * mib}, began.Add(roomEvery/2)) {
		t.Error("the rate is to be measured at once, and then over a whole period")
	}
	if !b.follow(memory{allocated: 120 * mib}, began.Add(roomEvery)) || b.rate != 20*mib {
		t.Errorf("20 MiB in a second are %d bytes a second", b.rate)
	}
	for _, c := range []struct {
		grown, cycles uint64
		full          bool
		next          time.Duration
	}{
		{0, 0, false, latest},                                     // 400 ms are half the way
		{15, 0, false, time.Second / 40},                          // 1 MiB is left, 50 ms
		{leastRoom/mib - 1, 0, false, time.Second / 40},           // the same
		{leastRoom / mib, 0, true, soonest},                       //
		{leastRoom/mib + 1, 0, true, soonest},                     //
		{leastRoom/mib + 2, 1, false, latest},                     // somebody has collected
		{2*leastRoom/mib + 1, 1, false, time.Second / 40},         // 1 MiB is left again
		{1000 * leastRoom / mib, 1, true, soonest},                // a burst
		{1000*leastRoom/mib + 1, 3, false, latest},                //
		{1001 * leastRoom / mib, 3, false, time.Second / 40},      //
		{1001*leastRoom/mib + 100, 3, true, 5 * time.Millisecond}, //
	} {
		full := b.full(memory{allocated: (100 + c.grown) * mib, cycles: c.cycles})
		if full != c.full || b.next() != c.next {
			t.Errorf("grown by %d MiB, %d cycles: full %t, look again in %s; want %t, %s", c.grown, c.cycles, full, b.next(), c.full, c.next)
		}
	}
}

func TestALargeProcessIsLeftToGo(t *testing.T) {
	t.Parallel()
	b := newBound(memory{}, time.Unix(0, 0))
	large := memory{alive: 340 << 20, scanned: 150 << 20, allocated: 1 << 40}
	if b.full(large) {
		t.Error("we would collect, for seconds, and nobody helps")
	}
	if got, want := memoryLimit(large, b.room), int64(large.alive+b.room); got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
	if large.scanned = mostScanned; !b.full(large) {
		t.Error("a small process is ours")
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

// value reads one number of the runtime's.
func value(name string) uint64 {
	samples := []metrics.Sample{{Name: name}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}

// Not parallel: other tests' garbage would be counted too.
func TestGarbageIsCollectedBeforeGoWouldBegin(t *testing.T) {
	defer letGrow()()
	alive := make([]byte, 64<<20) // else GOGC would have Go begin first
	defer runtime.KeepAlive(alive)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	ended := make(chan struct{})
	go func() { defer close(ended); boundMemory(ctx) }()
	const rounds = 5
	begun := value("/gc/cycles/forced:gc-cycles")
	for value("/gc/cycles/forced:gc-cycles") < begun+1+rounds && ctx.Err() == nil {
		// A megabyte a look: never so fast that Go itself begins.
		for range 16 {
			garbage = make([]byte, 64<<10)
		}
		wait, done := context.WithTimeout(ctx, soonest)
		<-wait.Done()
		done()
	}
	if ctx.Err() != nil {
		t.Errorf("collected %d times in 30 s, want %d", value("/gc/cycles/forced:gc-cycles")-begun, 1+rounds)
	}
	cancel()
	<-ended
}

// garbage lies on the heap because a variable of the package holds it.
var garbage []byte

// percent is how much the heap may grow before it is collected.
func percent() uint64 { return value("/gc/gogc:percent") }

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
