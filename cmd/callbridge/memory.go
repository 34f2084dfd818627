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
// within bounds: a small process is to stay small, however many calls it places.
//
// And we do not wait until Go collects: it begins so late that it is through just
// when the memory that it may take is full, and where other processes want the
// processors too, that is too late. Everybody who wants memory has to help then,
// and all webhooks of that time wait for it. Who begins long before has nobody
// help (docs/decisions/0010-garbage.md).
const (
	gcPercent    = 400
	collectShare = 1. / 8
	// markRate is how many bytes that may hold pointers one processor looks
	// through in a second, where they lie all over the memory.
	markRate = 256 << 20
	// leastRoom, or a quarter of what is alive, comes beside it at least, and
	// mostRoom at most: in a small process no more than what comes to smallHeap in
	// all, in a large one up to half of what is alive.
	leastRoom, mostRoom = 16 << 20, 48 << 20
	smallHeap           = 96 << 20
	// roomEvery is how often the room follows.
	roomEvery = time.Second
	// soonest and latest are when it is looked again how much has grown.
	soonest, latest = 5 * time.Millisecond, 100 * time.Millisecond
)

// ownMemory reports whether the operator has set GOGC or GOMEMLIMIT, which are
// left alone.
func ownMemory() bool { return os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" }

// letGrow is for a process that starts: what it takes then is the index of what
// is kept, hardly any of it garbage, and who collects again and again holds up
// the first webhook. It holds until undo; boundMemory adds bounds.
func letGrow() (undo func()) {
	if ownMemory() {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent)
	return func() { debug.SetGCPercent(before) }
}

// boundMemory collects garbage whenever the room for it is used up, until ctx
// ends. The limit is for bursts that come faster than we look: Go itself collects
// then.
func boundMemory(ctx context.Context) {
	if ownMemory() {
		return
	}
	// What is alive is only known after a collection, and a limit below it would
	// have every request help to collect.
	runtime.GC()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	b := newBound(readMemory(), time.Now())
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := readMemory()
		if b.follow(now, time.Now()) {
			debug.SetMemoryLimit(memoryLimit(now, b.room))
		}
		if b.full(now) {
			runtime.GC()
			b.full(readMemory())
		}
		look.Reset(b.next())
	}
}

// bound is how much garbage may come, and how much has.
type bound struct {
	// room is in bytes, rate in bytes a second.
	room, rate uint64
	// measured is what the process had at that moment, from which the rate is
	// counted.
	measured memory
	at       time.Time
	// collected is what had been allocated when garbage was collected last, grown
	// what has been since.
	collected, grown uint64
	cycles           uint64
}

func newBound(m memory, at time.Time) *bound {
	return &bound{room: roomFor(m, 0), measured: m, at: at.Add(-roomEvery), collected: m.allocated, cycles: m.cycles}
}

// follow measures how fast garbage comes, and reports whether it did.
func (b *bound) follow(m memory, now time.Time) bool {
	took := now.Sub(b.at)
	if took < roomEvery {
		return false
	}
	b.rate = uint64(float64(m.allocated-b.measured.allocated) / took.Seconds())
	b.room, b.measured, b.at = roomFor(m, b.rate), m, now
	return true
}

// full reports whether it is time that we collect. It also sees that somebody has.
func (b *bound) full(m memory) bool {
	if m.cycles != b.cycles {
		b.cycles, b.collected = m.cycles, m.allocated
	}
	b.grown = m.allocated - b.collected
	return b.grown >= b.room && m.small()
}

// next is when to look again: when half of what is left of the room will be
// used up.
func (b *bound) next() time.Duration {
	left := float64(b.room - min(b.room, b.grown))
	halfway := time.Duration(left / 2 / float64(max(1, b.rate)) * float64(time.Second))
	return min(max(halfway, soonest), latest)
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
	// cycles is how often garbage was collected.
	cycles uint64
}

func readMemory() memory {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/scan/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	other := value(2) - min(value(2), value(3)+value(4)+value(5))
	return memory{alive: value(0), allocated: value(1), other: other, scanned: value(6), cycles: value(7)}
}

const (
	// leastLimit is below what a process without work needs.
	leastLimit = 64 << 20
	// slack is how much more than the room may come while we collect, before
	// everybody has to help.
	slack = 48 << 20
	// mostScanned is up to what we collect ourselves. To look through more takes so
	// long that without everybody's help memory would grow by a multiple.
	mostScanned = 48 << 20
)

// small reports whether garbage is ours to collect, and not Go's.
func (m memory) small() bool { return m.scanned <= mostScanned }

// memoryLimit is never so near to what is alive that collecting would take the
// processor from calls; nor, in a small process, so near to what is used that Go
// would give memory back to the system which is wanted again at once.
func memoryLimit(m memory, room uint64) int64 {
	if m.small() {
		room += slack
	}
	return int64(max(leastLimit, m.other+m.alive+room))
}

// roomFor is how much may come beside what is alive before it is collected. Rate
// is in bytes a second.
func roomFor(m memory, rate uint64) uint64 {
	cheap := float64(rate) * float64(m.scanned) / (markRate * collectShare)
	least := max(leastRoom, m.alive/4)
	most := max(least, m.fits())
	return uint64(min(max(cheap, float64(least)), float64(most)))
}

// fits is how much garbage a process of its size has a place for.
func (m memory) fits() uint64 {
	if !m.small() {
		return max(mostRoom, m.alive/2)
	}
	return min(mostRoom, smallHeap-min(smallHeap, m.alive+m.other))
}
