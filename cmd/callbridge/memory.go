package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Most of what is alive in this process are the buffers of the embedded NATS,
// some ten megabytes that the garbage collector need not look into. Go would let
// the heap grow by as much again before it collects, however fast that is; we
// let it grow by what comes in a fifth of a second, within bounds.
const (
	gcPercent = 400
	// leastRoom and mostRoom bound, in bytes, what may come beside a quarter of
	// what is alive.
	leastRoom, mostRoom = 24 << 20, 72 << 20
	// leastLimit is below what a process without work needs.
	leastLimit = 64 << 20
	// limitEvery is how often the limit follows.
	limitEvery = time.Second
)

// boundMemory sets the garbage collector's limit by what is alive, until ctx
// ends. The operator's own GOGC or GOMEMLIMIT is left alone.
func boundMemory(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	tick := time.NewTicker(limitEvery)
	defer tick.Stop()
	for _, before := heap(); ; {
		alive, allocated := heap()
		debug.SetMemoryLimit(memoryLimit(alive, allocated-before))
		before = allocated
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heap is how much of the heap the last collection has kept, and how much has
// been taken from it ever, in bytes.
func heap() (alive, allocated uint64) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64(), sample[1].Value.Uint64()
}

// memoryLimit is never so near to what is alive that collecting would take the
// processor from calls. Rate is in bytes a second.
func memoryLimit(alive, rate uint64) int64 {
	room := min(max(rate/5, leastRoom), mostRoom)
	return int64(max(leastLimit, alive+alive/4+room))
}
