//go:build unix

package crash_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

var (
	long   = flag.Bool("long", false, "the long form: at least 500 kills and 100 freezes, negative controls, outages of a minute")
	binary = flag.String("binary", "", "a binary with crash points to test instead of the one that is built, such as an older one")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random choices; the scheduler adds its own variation")
)

// parallel is the number of tests that run at the same time: more than there are
// processors, since they mostly wait for other processes.
const parallel = "6"

// TestMain also runs the NATS servers, which are separate processes so that they can
// be killed.
func TestMain(m *testing.M) {
	if options := os.Getenv(natsRole); options != "" {
		serveNATS(options)
		return
	}
	if options := os.Getenv(ledgerRole); options != "" {
		serveLedger(options)
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

// binaries are the programs under test, each built once, when first needed.
var binaries struct {
	dir              string
	crashtest, plain onceBuilt
}

type onceBuilt struct {
	once sync.Once
	path string
	err  error
}

// hooked returns the path of the binary with crash points.
func hooked(t *testing.T) string {
	t.Helper()
	if *binary != "" {
		return *binary
	}
	return binaries.crashtest.build(t, "callbridge-crashtest", "-tags=crashtest")
}

// release returns the path of the binary as operators get it.
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

// dice is a random source for several goroutines.
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

// order returns the numbers from 0 to count-1 in random order.
func (d *dice) order(count int) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.Perm(count)
}

func (d *dice) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.n(int(most-least)))
}

// A release must not be able to kill itself, to disable its fence or to move its clock.
func TestReleaseHasNoCrashPoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		want bool
	}{{release(t), false}, {hooked(t), true}} {
		program, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"CRASHTEST_PLAN", "CRASHTEST_CLOCK"} {
			if has := bytes.Contains(program, []byte(name)); has != c.want && runtime.GOARCH == "amd64" {
				t.Errorf("%s reads %s: %v, want %v", c.path, name, has, c.want)
			}
		}
	}
}
