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
// the heap grow to twice that before it collects; we let it grow by roomBeside
// and a quarter, and collect a small heap less often than Go would.
const (
	gcPercent  = 400
	leastLimit = 64 << 20
	roomBeside = 32 << 20
	// limitEvery is how often the limit follows what is alive.
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
	for {
		debug.SetMemoryLimit(memoryLimit(alive()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// alive is how much of the heap the last collection has kept, in bytes.
func alive() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// memoryLimit is never so near to what is alive that collecting would take the
// processor from calls.
func memoryLimit(alive uint64) int64 {
	return int64(max(leastLimit, alive+alive/4+roomBeside))
}
