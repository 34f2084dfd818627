// Command bench measures how much callbridge takes and how long it makes people
// wait, beside what any such service would need at the least, and beside Bento
// where it is installed. Each system runs as a process of its own and does the
// same job: take a signed webhook of 1.2 KB, verify, map, keep, call, tell.
//
//	make bench                                all of it; docs/performance.md is made of this
//	go run ./bench -only accepting -time 2s   a part
//	go run ./bench -profile /tmp              with profiles of callbridge
//
// It is no step of a webhook's way, and not part of the program that is shipped.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if serve, is := modes[os.Args[1]]; is {
			exit(serve(os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, readOptions()))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options of a run.
type options struct {
	only, bento, profiles, into string
	time                        time.Duration
	rounds                      int
}

func readOptions() (o options) {
	installed, _ := exec.LookPath("bento")
	flag.StringVar(&o.only, "only", "", "parts to run, divided by commas; all if empty: "+strings.Join(names(), ", "))
	flag.DurationVar(&o.time, "time", 5*time.Second, "how long a load lasts")
	flag.IntVar(&o.rounds, "rounds", 3, "how often systems are compared, in turn; the round in the middle is shown")
	flag.StringVar(&o.bento, "bento", installed, "a Bento program; none if empty")
	flag.StringVar(&o.profiles, "profile", "", "folder for profiles of callbridge")
	flag.StringVar(&o.into, "into", "", "page whose tables are replaced by these")
	flag.Parse()
	return o
}

func run(ctx context.Context, o options) error {
	if o.time <= 0 || o.rounds < 1 {
		return errors.New("-time and -rounds must be more than nothing")
	}
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	tables := make([]*table, len(chosen))
	for i, p := range chosen {
		tables[i] = &table{name: p.name, head: p.head}
	}
	// A page that has no place for a table is found out now, not in half an hour.
	if _, err := readInto(o.into, tables); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "callbridge-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := build(ctx, dir)
	if err != nil {
		return err
	}
	c := comparison{bench: &bench{dir: dir, time: o.time, rest: rest, profiles: o.profiles}, rounds: o.rounds, callbridge: callbridge(program), bento: o.bento}
	for i, p := range chosen {
		if err := p.run(c, ctx, tables[i]); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		tables[i].print(os.Stdout)
	}
	if o.into == "" {
		return nil
	}
	page, err := readInto(o.into, tables)
	if err != nil {
		return err
	}
	return os.WriteFile(o.into, []byte(page), 0o644)
}
