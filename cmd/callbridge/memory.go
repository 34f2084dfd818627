package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Most of what is alive in a small process are the buffers of the embedded NATS,
// some ten megabytes that the garbage collector need not look into; in a large
// one it is the index of what is kept, and a look through it takes the better part
// of a second. Go would let either grow by as much again before it collects. We
// let it grow by what comes while collecting takes collectShare of a processor,
// within bounds.
const (
	gcPercent    = 400
	collectShare = 1. / 8
	// markRate is how many bytes that may hold pointers one processor looks
	// through in a second, where they lie all over the memory.
	markRate = 256 << 20
	// leastRoom, or a quarter of what is alive, comes beside it at least, and
	// mostRoom, or half of what is alive, at most.
	leastRoom, mostRoom = 16 << 20, 56 << 20
	// leastLimit is below what a process without work needs.
	leastLimit = 64 << 20
	// limitEvery is how often the limit follows.
	limitEvery = time.Second
)

// ownMemory reports whether the operator has set GOGC or GOMEMLIMIT, which are
// left alone.
func ownMemory() bool { return os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" }

// letGrow is for a process that starts: what it takes then is the index of what
// is kept, hardly any of it garbage, and who collects again and again holds up
// the first webhook. It holds until undo; boundMemory adds the limit.
func letGrow() (undo func()) {
	if ownMemory() {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent)
	return func() { debug.SetGCPercent(before) }
}

// boundMemory sets the garbage collector's limit by what is alive, until ctx
// ends.
func boundMemory(ctx context.Context) {
	if ownMemory() {
		return
	}
	// What is alive is only known after a collection, and a limit below it would
	// have every request help to collect.
	runtime.GC()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	tick := time.NewTicker(limitEvery)
	defer tick.Stop()
	for before := readMemory(); ; {
		now := readMemory()
		debug.SetMemoryLimit(memoryLimit(now, now.allocated-before.allocated))
		before = now
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// memory is what the process has, in bytes.
type memory struct {
	// alive is what the last collection has kept, and other what no collection
	// gives back: stacks, the runtime's own, gaps between objects.
	alive, other uint64
	// scanned is what a collection has to look through.
	scanned uint64
	// allocated is what has been taken from the heap ever.
	allocated uint64
}

func readMemory() memory {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/scan/total:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	other := value(2) - min(value(2), value(3)+value(4)+value(5))
	return memory{alive: value(0), allocated: value(1), other: other, scanned: value(6)}
}

// memoryLimit is never so near to what is alive that collecting would take the
// processor from calls. Rate is in bytes a second.
func memoryLimit(m memory, rate uint64) int64 {
	cheap := float64(rate) * float64(m.scanned) / (markRate * collectShare)
	least, most := max(leastRoom, m.alive/4), max(mostRoom, m.alive/2)
	room := uint64(min(max(cheap, float64(least)), float64(most)))
	return int64(max(leastLimit, m.other+m.alive+room))
}
