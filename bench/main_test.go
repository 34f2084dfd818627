package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain is also what the program is in its other modes, and one that starts
// another and waits to be killed.
func TestMain(m *testing.M) {
	modes["parent"] = parentMain
	if len(os.Args) > 1 {
		if serve, is := modes[os.Args[1]]; is {
			exit(serve(os.Args[2:]))
		}
	}
	dir, err := os.MkdirTemp("", "callbridge-bench-test-")
	if err != nil {
		panic(err)
	}
	built.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// built is callbridge, built once and when first needed.
var built struct {
	dir     string
	once    sync.Once
	program string
	err     error
}

func bridge(t *testing.T) system {
	t.Helper()
	built.once.Do(func() { built.program, built.err = build(context.Background(), built.dir) })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return callbridge(built.program)
}

// short is how long loads last here.
const short = 300 * time.Millisecond

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{dir: t.TempDir(), time: short}
}

func TestWrongOptionsAreRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("no table here"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]options{
		`no part is called "speed"`:      {only: "machine,speed", time: short, rounds: 1},
		`no place for the table "lists"`: {only: "lists", into: page, time: short, rounds: 1},
		"read page":                      {into: page + ".gone", time: short, rounds: 1},
		"-time and -rounds":              {time: short},
	} {
		if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// installedBento adds Bento where there is one.
func installedBento() []system {
	program, err := exec.LookPath("bento")
	if err != nil {
		return nil
	}
	return []system{bento(program, 2)}
}

func TestEverySystemKeepsWhatItAccepts(t *testing.T) {
	t.Parallel()
	systems := append([]system{reference("gin", "gin"), reference("publish", "publish"), reference("packed", "packed"), bridge(t)}, installedBento()...)
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got, err := newBench(t).accept(t.Context(), s, syncInterval)
			if err != nil {
				t.Fatal(err)
			}
			if got.perSecond == 0 || got.p50 == 0 || got.p99 < got.p50 || got.nothing != (s.name == "gin") || got.lost+got.doubled != 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestEverySystemCallsEachWebhookOnce(t *testing.T) {
	t.Parallel()
	for _, s := range append([]system{bridge(t)}, installedBento()...) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got, err := newBench(t).call(t.Context(), s, syncAlways)
			if err != nil {
				t.Fatal(err)
			}
			if got.calls == 0 || got.accepted < got.calls || got.tally != (tally{}) {
				t.Errorf("got %+v", got)
			}
			held, err := newBench(t).hold(t.Context(), s, syncInterval)
			if err != nil {
				t.Fatal(err)
			}
			if held.answer50 == 0 || held.call99 < held.call50 || held.call50 == 0 || held.tally != (tally{}) {
				t.Errorf("got %+v", held)
			}
		})
	}
}

// killedRate is low: a claim that the kill leaves without its call takes a minute
// to be judged.
const killedRate = 20

func TestKilledCallbridgeIsBackAndHasDoubledNothing(t *testing.T) {
	t.Parallel()
	got, err := newBench(t).kill(t.Context(), bridge(t), killedRate, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got.sent != int(2*short.Seconds()*killedRate) || got.silence == 0 || got.lost+got.doubled+got.silent != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestFillsAndListsAreCounted(t *testing.T) {
	t.Parallel()
	c := comparison{bench: newBench(t), callbridge: bridge(t)}
	c.time = short / 3
	var growth, lists table
	if err := c.filled(t.Context(), &growth, 1000, 1200); err != nil {
		t.Fatal(err)
	}
	if err := c.lists(t.Context(), &lists); err != nil {
		t.Fatal(err)
	}
	if len(growth.rows) != 2 || len(lists.rows) != 2 {
		t.Errorf("got\n%s\n%s", &growth, &lists)
	}
	for _, p := range parts {
		for name, got := range map[string]*table{"growth": &growth, "lists": &lists} {
			if p.name == name && slices.ContainsFunc(got.rows, func(row []string) bool { return len(row) != len(p.head) }) {
				t.Errorf("%s has rows of another length than its head\n%s", name, got)
			}
		}
	}
}

func TestAFreshConnectionIsMeasuredAgainstAKeptOne(t *testing.T) {
	t.Parallel()
	c := comparison{bench: newBench(t)}
	c.time = short / 6
	var got table
	if err := c.connection(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.rows) != 4 {
		t.Errorf("got\n%s", &got)
	}
}

func TestWhatIsBrokenOffLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := newBench(t)
	var left *child
	err := b.live(ctx, reference("gin", "gin"), job{}, func(r *running) error {
		left = r.taker
		cancel()
		_, err := r.send(ctx, load{connections: 4})
		return err
	})
	if err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	select {
	case <-left.exited:
	default:
		t.Error("the process is still there")
	}
	if files, _ := os.ReadDir(b.dir); len(files) > 0 {
		t.Errorf("left %v", files)
	}
}

func TestASystemThatDoesNotStartSaysWhy(t *testing.T) {
	t.Parallel()
	err := newBench(t).live(t.Context(), bridge(t), job{sync: "sometimes", api: nowhere}, func(*running) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "NATS_SYNC") {
		t.Errorf("error %v, want what callbridge says", err)
	}
}

// parentMain starts another of this program, says where it listens, and waits.
func parentMain(arguments []string) error {
	var address string
	if err := freeAddresses(&address); err != nil {
		return err
	}
	if _, err := launchOwn(context.Background(), arguments[0], "gin", address); err != nil {
		return err
	}
	fmt.Println(address)
	select {}
}
