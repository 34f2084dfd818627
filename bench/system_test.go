package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/internal/testkit"
)

// TestMain also runs the other modes of the program, and a mode that starts a child
// and waits to be killed.
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

// built is callbridge, compiled once, when a test first needs it.
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

// short is the duration of a load in tests.
const short = 300 * time.Millisecond

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{dir: t.TempDir(), time: short}
}

func TestWrongOptionsAreRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	page := testkit.File(t, "page.md", "no table here")
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

// installedBento returns Bento if it is installed.
func installedBento() []system {
	program, err := exec.LookPath("bento")
	if err != nil {
		return nil
	}
	return []system{bento(program, 2)}
}

func TestEverySystemStoresWhatItAccepts(t *testing.T) {
	t.Parallel()
	systems := append([]system{reference("gin", "gin"), reference("publish", "publish"), reference("packed", "packed"), bridge(t)}, installedBento()...)
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got, err := newBench(t).accept(t.Context(), s, syncInterval)
			if err != nil {
				t.Fatal(err)
			}
			if got.perSecond == 0 || got.p50 == 0 || got.p99 < got.p50 || got.stateless != (s.name == "gin") || got.lost+got.doubled != 0 {
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
			held, err := newBench(t).callSteadily(t.Context(), s, syncInterval)
			if err != nil {
				t.Fatal(err)
			}
			if held.answer50 == 0 || held.call99 < held.call50 || held.call50 == 0 || held.tally != (tally{}) {
				t.Errorf("got %+v", held)
			}
		})
	}
}

// killedRate is low, since a claim without a call takes a minute to be resolved.
const killedRate = 20

func TestKilledCallbridgeContinuesWithoutDoubleCalls(t *testing.T) {
	t.Parallel()
	got, err := newBench(t).kill(t.Context(), bridge(t), killedRate, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got.sent != int(2*short.Seconds()*killedRate) || got.silence == 0 || got.lost+got.doubled+got.noResult != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestGrowthAndListsFillTheirTables(t *testing.T) {
	t.Parallel()
	c := comparison{bench: newBench(t), callbridge: bridge(t)}
	c.time = short / 3
	var growth, lists table
	if err := c.measureFilled(t.Context(), &growth, 1000, 1200); err != nil {
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
				t.Errorf("%s has rows with another number of cells than its head\n%s", name, got)
			}
		}
	}
}

func TestNewConnectionsAreComparedWithReusedOnes(t *testing.T) {
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

func TestCancelledRunLeavesNoProcessAndNoFile(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := newBench(t)
	var left *child
	err := b.withSystem(ctx, reference("gin", "gin"), job{}, func(r *running) error {
		left = r.intake
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

func TestSystemThatDoesNotStartReportsItsLog(t *testing.T) {
	t.Parallel()
	err := newBench(t).withSystem(t.Context(), bridge(t), job{sync: "sometimes", api: unusedAPI}, func(*running) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "NATS_SYNC") {
		t.Errorf("error %v, want the log of callbridge", err)
	}
}

// parentMain starts this program as a child, prints its address, and waits.
func parentMain(arguments []string) error {
	var address string
	if err := freeAddresses(&address); err != nil {
		return err
	}
	if _, err := launchSelf(context.Background(), arguments[0], "gin", address); err != nil {
		return err
	}
	fmt.Println(address)
	select {}
}

// Bento replaces an unset variable by an empty string.
func TestBentoGetsExactlyTheVariablesOfItsFiles(t *testing.T) {
	t.Parallel()
	set := map[string]bool{}
	for _, setting := range bentoEnviron(&running{}, job{}, 1) {
		name, _, _ := strings.Cut(setting, "=")
		set[name] = true
	}
	files, err := writeBento(job{dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := yaml.Unmarshal(text, &config); err != nil || config["input"] == nil || config["pipeline"] == nil || config["output"] == nil {
			t.Errorf("%s: error %v, holds %v", filepath.Base(file), err, config)
		}
		for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)\}|env\("([A-Z_]+)"\)`).FindAllStringSubmatch(string(text), -1) {
			used[m[1]+m[2]] = true
		}
	}
	for name := range used {
		if !set[name] {
			t.Errorf("%s is not set", name)
		}
	}
	for name := range set {
		if !used[name] {
			t.Errorf("%s is set and not used", name)
		}
	}
	if kept, _ := writeBento(job{dir: t.TempDir(), storeOnly: true}); len(kept) != 1 || len(files) != 2 {
		t.Errorf("files to store %v, to call %v", kept, files)
	}
}

// With an inherited NATS_URL the benchmark would write into a NATS in use, and a
// person would be called.
func TestChildInheritsNoConfiguration(t *testing.T) {
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	c, err := launchSelf(t.Context(), t.TempDir(), "gin", freeOne(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.kill()
	for _, setting := range c.cmd.Env {
		if name, _, _ := strings.Cut(setting, "="); !slices.Contains(inherited, name) {
			t.Errorf("it inherits %s", name)
		}
	}
}

func freeOne(t *testing.T) (address string) {
	t.Helper()
	if err := freeAddresses(&address); err != nil {
		t.Fatal(err)
	}
	return address
}
