//go:build unix

package crash_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	long = flag.Bool("long", false, "the long form: at least 500 kills and 100 freezes, negative controls, outages of a minute")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the random choices begin with; the scheduler has a say as well")
)

// parallel is how many of these tests run at the same time. They wait for
// other processes most of the time, so it is more than there are processors.
const parallel = "6"

// TestMain is also the program of the NATS servers, which have to be processes
// of their own to be killed.
func TestMain(m *testing.M) {
	if options := os.Getenv(natsRole); options != "" {
		serveNATS(options)
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	fmt.Printf("crash: -seed=%d\n", *seed)
	dir, err := os.MkdirTemp("", "callbridge-crash-")
	if err != nil {
		panic(err)
	}
	binaries.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binaries are the programs under test, each built once and when first needed.
var binaries struct {
	dir              string
	crashtest, plain onceBuilt
}

type onceBuilt struct {
	once sync.Once
	path string
	err  error
}

// hooked is the real binary with the crash points.
func hooked(t *testing.T) string {
	t.Helper()
	return binaries.crashtest.build(t, "callbridge-crashtest", "-tags=crashtest")
}

// release is the binary that operators get.
func release(t *testing.T) string {
	t.Helper()
	return binaries.plain.build(t, "callbridge", "-trimpath")
}

func (b *onceBuilt) build(t *testing.T, name string, flags ...string) string {
	t.Helper()
	b.once.Do(func() {
		b.path = filepath.Join(binaries.dir, name)
		arguments := append([]string{"build", "-o", b.path}, flags...)
		if out, err := exec.Command("go", append(arguments, "callbridge/cmd/callbridge")...).CombinedOutput(); err != nil {
			b.err = fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// dice is a source of chance for several goroutines.
type dice struct {
	mu     sync.Mutex
	random *rand.Rand
}

func newDice(stream uint64) *dice {
	return &dice{random: rand.New(rand.NewPCG(*seed, stream))}
}

// n returns one of 0 … limit-1.
func (d *dice) n(limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.IntN(limit)
}

func (d *dice) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.n(int(most-least)))
}

// await polls until something has happened, and ends the test if it does not.
func await(t *testing.T, limit time.Duration, what string, happened func() bool) {
	t.Helper()
	if !within(limit, happened) {
		t.Fatalf("%s: not within %s", what, limit)
	}
}

// within reports whether something happens before the limit.
func within(limit time.Duration, happened func() bool) bool {
	deadline, tick := time.NewTimer(limit), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return happened()
		}
	}
	return true
}
