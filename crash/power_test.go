//go:build linux

package crash_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"callbridge/crash/power"
	"callbridge/internal/testkit"
)

var powerLong = flag.Bool("power", false, "the long form of the power cuts, with images of real file systems")

// powerRun is one way to cut the power of the disk of an embedded NATS.
type powerRun struct {
	name     string
	longOnly bool
	options  power.Options
	// image is the file system of an image on the disk; "" for the disk itself.
	image power.FileSystem
	// torn: a part of what was not flushed is on the disk after a cut.
	torn        bool
	environ     map[string]string
	short, long int
	// control: the run must find something wrong.
	control bool
}

const (
	// powerLimit bounds the time until every event has its result after the last cut.
	powerLimit = 4 * time.Minute
	// controlLimit is the same for a control, which never gets all results.
	controlLimit = 30 * time.Second
)

// powerAccount is one line of the table.
type powerAccount struct {
	account
	cuts, rewritten int
	flushes         int64
}

func TestPowerCutsLoseNoEventAndDialNobodyTwice(t *testing.T) {
	t.Parallel()
	runs := []powerRun{
		{name: "names by directory", options: power.Options{Names: power.OfDirectory}, short: 2, long: 12},
		{name: "names in order", options: power.Options{Names: power.InOrder}, torn: true, environ: redial, short: 2, long: 12},
		{name: "XFS", longOnly: true, image: power.XFS, torn: true, environ: redial, long: 10},
		{name: "ext4", longOnly: true, image: power.Ext4, torn: true, environ: redial, long: 10},
		{name: "btrfs", longOnly: true, image: power.Btrfs, torn: true, environ: redial, long: 10},
		{name: "control: the disk lies", longOnly: true, options: power.Options{Lies: true}, environ: redial, long: 4, control: true},
	}
	var accounts []powerAccount
	for _, r := range runs {
		if r.longOnly && !*powerLong {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if err := r.missing(); err != nil {
				t.Skip("not run: ", err)
			}
			accounts = append(accounts, r.run(t))
		})
	}
	powerTable(t, accounts)
}

// missing returns what the run needs and this machine lacks, or nil.
func (r powerRun) missing() error {
	if r.image != "" {
		return r.image.Missing()
	}
	return power.Available()
}

func (r powerRun) run(t *testing.T) powerAccount {
	s := newSocket(t, r)
	environ := map[string]string{"NATS_STORE_DIR": filepath.Join(s.dir, "store"), "NATS_SYNC": "always"}
	for name, value := range r.environ {
		environ[name] = value
	}
	f := newFixture(t, scenario{bridges: 1, environ: environ})
	f.bridges[0].unreliable = true
	cuts := r.short
	if *powerLong {
		cuts = r.long
	}
	f.underLoad(func() { r.cutAtRandom(f, s, cuts) })
	f.callab.ClearFaults()
	r.judge(f)
	return powerAccount{account: f.account(r.name), cuts: cuts, rewritten: int(s.rewritten.Load()), flushes: s.flushes}
}

// judge checks that every event has one result, and no more than one call. A control
// has events without a result, which the disk has forgotten.
func (r powerRun) judge(f *fixture) {
	if r.control {
		f.results.follow(f.natsURL())
		testkit.Within(controlLimit, func() bool { return f.results.complete(f.crm.all()) })
		if a := f.account(r.name); a.wrong() == 0 {
			f.t.Error("the control found nothing wrong")
		}
		return
	}
	if !f.waitComplete(powerLimit) {
		f.t.Errorf("not complete within %s", powerLimit)
	}
	a := f.account(r.name)
	a.check(f.t)
}

func (r powerRun) cutAtRandom(f *fixture, s *socket, cuts int) {
	f.callab.addFaults()
	for range cuts {
		r.waitForMoment(f)
		s.cut(f.bridges[0], r.rest(f.dice))
	}
	await(f.t, time.Minute, "the bridge starts after the last cut", f.bridges[0].up)
}

// waitForMoment returns at a random moment, mostly of a running bridge, sometimes
// while it starts.
func (r powerRun) waitForMoment(f *fixture) {
	if f.dice.n(4) == 0 {
		<-time.After(f.dice.between(0, 500*time.Millisecond))
		return
	}
	await(f.t, time.Minute, "the bridge starts after a cut", f.bridges[0].up)
	<-time.After(f.dice.between(200*time.Millisecond, 2*time.Second))
}

// socket is where a disk gets its power, and the directory on which it is mounted.
type socket struct {
	t       *testing.T
	dir     string
	image   power.FileSystem
	disk    *power.Disk
	unmount func() error
	// rewritten counts the blocks that nats-server has replaced by another file; of an
	// image only those that lookForRewrite has found.
	rewritten atomic.Int64
	// block is the file that lookForRewrite has found.
	block os.FileInfo
	// flushes is that of the disks before the present one.
	flushes int64
}

func newSocket(t *testing.T, r powerRun) *socket {
	s, options := &socket{t: t, dir: t.TempDir(), image: r.image}, r.options
	options.Renamed = func(name string) {
		if strings.HasSuffix(name, ".blk") {
			s.rewritten.Add(1)
		}
	}
	s.plug(power.New(options))
	t.Cleanup(func() {
		if err := s.unmount(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *socket) plug(d *power.Disk) {
	mount := d.Mount
	if s.image != "" {
		mount = func(dir string) (func() error, error) { return d.MountImage(s.image, dir) }
	}
	unmount, err := mount(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.disk, s.unmount = d, unmount
}

// cut cuts the power of the disk and of the bridge that uses it, and starts both again.
func (s *socket) cut(b *supervisor, rest *rand.Rand) {
	b.launching.Lock()
	defer b.launching.Unlock()
	s.disk.Cut()
	b.kill()
	s.replace(rest)
}

// replace replaces the disk, after a cut, by what is left of it.
func (s *socket) replace(rest *rand.Rand) {
	if err := s.unmount(); err != nil && s.image == "" {
		s.t.Error(err)
	}
	s.flushes += s.disk.Flushes()
	s.plug(s.disk.Survivor(rest))
}

// lookForRewrite counts a block of an image that is another file than before.
func (s *socket) lookForRewrite(name string) {
	if s.image == "" {
		return // the disk reports it
	}
	found, err := os.Stat(name)
	if err != nil {
		return
	}
	if s.block != nil && !os.SameFile(s.block, found) {
		s.rewritten.Add(1)
	}
	s.block = found
}

func powerTable(t *testing.T, accounts []powerAccount) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "disk\tcuts\tflushes\trewritten blocks\tevents\twebhooks\tcalls placed\tdialled twice\tlost\tnot one result\t")
	for _, a := range accounts {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", a.mode, a.cuts, a.flushes, a.rewritten, a.events, a.webhooks, a.placed, a.twice, a.lost, a.notOne)
	}
	_ = w.Flush()
	t.Logf("seed %d\n%s", *seed, text.String())
}
