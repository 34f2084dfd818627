//go:build linux

package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/crash/power"
	"callbridge/internal/testkit"
)

// ledgerRole is the environment variable that makes a process write or read the ledger
// of a bus with the embedded NATS; its value is "write" or "read" and the directory.
const ledgerRole = "CRASH_LEDGER"

const (
	// ledgerSettled requests get one record each at the beginning, as calls that were
	// accepted at once. The others get records as long as the process runs, as calls
	// during an outage.
	ledgerSettled  = 160
	ledgerRequests = 256
	ledgerWriters  = 16
	// ledgerRecordBytes is the size of a record with an answer of Callab.
	ledgerRecordBytes = 1500
	// ledgerRecords are enough for two blocks, which have 8 MiB. nats-server rewrites
	// an older block when half of its messages are deleted. The short form writes fewer.
	ledgerRecords, ledgerRecordsShort = 8_000, 1_500
)

// serveLedger writes records until it is killed, and prints each that was
// acknowledged, or prints the newest records.
func serveLedger(text string) {
	mode, dir, _ := strings.Cut(text, " ")
	b, err := bus.Open(context.Background(), bus.Config{
		Embedded: bus.Embedded{Dir: dir, SyncAlways: true}, Prefix: "callbridge", Replicas: 1, Retention: 24 * time.Hour,
		AckWait: ackWait, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		panic(err)
	}
	if mode == "read" {
		if err := b.Ledger().Each(context.Background(), func(id uuid.UUID, e bus.Entry) error { return printRecord(id, e.Revision) }); err != nil {
			panic(err)
		}
		return
	}
	var writers sync.WaitGroup
	for w := range ledgerWriters {
		writers.Go(func() { writeLedger(b.Ledger(), w) })
	}
	writers.Wait()
}

// writeLedger writes the next record of its requests in turn, as long as it can.
func writeLedger(l bus.Ledger, writer int) {
	data, revisions := bytes.Repeat([]byte("x"), ledgerRecordBytes), map[uuid.UUID]uint64{}
	for first := 0; ; first = ledgerSettled {
		for n := first + writer; n < ledgerRequests; n += ledgerWriters {
			id := uuid.NewSHA1(uuid.Nil, []byte(strconv.Itoa(n)))
			revision, err := l.Put(context.Background(), id, data, revisions[id])
			if err != nil {
				return
			}
			revisions[id] = revision
			if printRecord(id, revision) != nil {
				return
			}
		}
	}
}

func printRecord(id uuid.UUID, revision uint64) error {
	_, err := fmt.Fprintf(os.Stderr, "record %s %d\n", id, revision)
	return err
}

// records are the newest revisions that a process has printed.
type records struct {
	mu    sync.Mutex
	count int
	by    map[string]uint64
}

func (r *records) onLine(_ *process, line string) {
	var id string
	var revision uint64
	if n, _ := fmt.Sscanf(line, "record %s %d", &id, &revision); n != 2 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.by[id] = max(r.by[id], revision)
}

func (r *records) total() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// launchLedger starts a process that writes or reads the ledger.
func launchLedger(t *testing.T, mode, dir string) (*process, *records) {
	t.Helper()
	r := &records{by: map[string]uint64{}}
	p, err := launch(loopback, os.Args[0], append(os.Environ(), ledgerRole+"="+mode+" "+dir), nil, r.onLine)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p, r
}

// A claim that was acknowledged is what keeps a call from being placed again. It must
// be there after a cut, however many records of other requests were written, and
// whatever nats-server made of the blocks.
func TestPowerCutsKeepEveryRecordOfTheLedger(t *testing.T) {
	t.Parallel()
	for _, r := range []powerRun{
		{name: "names by directory", options: power.Options{Names: power.OfDirectory}},
		{name: "names in order", options: power.Options{Names: power.InOrder}, longOnly: true},
		{name: "names in order, torn", options: power.Options{Names: power.InOrder}, torn: true},
		{name: "XFS", image: power.XFS, torn: true, longOnly: true},
		{name: "control: the disk lies", options: power.Options{Lies: true}, control: true},
	} {
		if r.longOnly && !*powerLong {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if err := r.missing(); err != nil {
				t.Skip("not run: ", err)
			}
			r.cutLedger(t)
		})
	}
}

func (r powerRun) cutLedger(t *testing.T) {
	s, d := newSocket(t, r), newDice(uint64(len(r.name)))
	dir := filepath.Join(s.dir, "store")
	writer, written := launchLedger(t, "write", dir)
	enough := ledgerRecordsShort
	if *powerLong {
		enough = ledgerRecords
	}
	// A disk that is slow gets fewer records, and each of them counts.
	testkit.Within(2*time.Minute, func() bool {
		s.lookForRewrite(filepath.Join(dir, "jetstream", "$G", "streams", "CALLBRIDGE_LEDGER", "msgs", "1.blk"))
		return s.rewritten.Load() > 0 || written.total() > enough || writer.gone()
	})
	<-time.After(d.between(0, 400*time.Millisecond))
	s.disk.Cut()
	writer.kill()
	s.replace(r.rest(d))

	reader, left := launchLedger(t, "read", dir)
	await(t, time.Minute, "the ledger is read", reader.gone)
	lost := 0
	for id, revision := range written.by {
		if left.by[id] < revision {
			lost++
		}
	}
	t.Logf("%d records of %d requests, %d blocks rewritten, %d requests have lost a record", written.count, len(written.by), s.rewritten.Load(), lost)
	if len(written.by) < ledgerRequests || (lost > 0) != r.control {
		t.Errorf("%d of %d requests have lost an acknowledged record (control: %v):\n%s\n%s", lost, len(written.by), r.control, writer.logTail(3), reader.logTail(3))
	}
}

// rest returns the random choice of what is left of the data that was not flushed; nil
// for nothing.
func (r powerRun) rest(d *dice) *rand.Rand {
	if !r.torn {
		return nil
	}
	return rand.New(rand.NewPCG(*seed, uint64(d.n(1<<30))))
}
