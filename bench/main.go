// Command bench measures throughput and latency of callbridge, and compares it with
// reference points that do the minimum and, if it is installed, with Bento. Each
// system runs as its own process and does the same job: receive a signed webhook of
// 1.2 KB, verify, map, store, call, publish the result.
//
//	make bench                                all parts, for docs/performance.md
//	go run ./bench -only accepting -time 2s   one part
//	go run ./bench -profile /tmp              with profiles of callbridge
//
// It is not part of the shipped program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
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
	flag.StringVar(&o.only, "only", "", "parts to run, separated by commas; all if empty: "+strings.Join(names(), ", "))
	flag.DurationVar(&o.time, "time", 5*time.Second, "how long a load lasts")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each comparison; the median round is printed")
	flag.StringVar(&o.bento, "bento", installed, "path of a Bento program; Bento is omitted if empty")
	flag.StringVar(&o.profiles, "profile", "", "directory for profiles of callbridge")
	flag.StringVar(&o.into, "into", "", "page whose tables are replaced by the results")
	flag.Parse()
	return o
}

func run(ctx context.Context, o options) error {
	if o.time <= 0 || o.rounds < 1 {
		return errors.New("-time and -rounds must be greater than zero")
	}
	chosen, err := selectParts(o.only)
	if err != nil {
		return err
	}
	tables := make([]*table, len(chosen))
	for i, p := range chosen {
		tables[i] = &table{name: p.name, head: p.head}
	}
	// A page without a place for a table must be reported now, not after half an hour.
	if _, err := updatedPage(o.into, tables); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "callbridge-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := build(ctx, dir)
	if err != nil {
		return err
	}
	c := comparison{bench: &bench{dir: dir, time: o.time, idle: idle, profiles: o.profiles}, rounds: o.rounds, callbridge: callbridge(program), bento: o.bento}
	for i, p := range chosen {
		if err := p.run(c, ctx, tables[i]); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		tables[i].print(os.Stdout)
	}
	if o.into == "" {
		return nil
	}
	page, err := updatedPage(o.into, tables)
	if err != nil {
		return err
	}
	return os.WriteFile(o.into, []byte(page), 0o644)
}

// part is one part of the benchmark; it fills one table.
type part struct {
	name string
	head []string
	run  func(comparison, context.Context, *table) error
}

var parts = []part{
	{"machine", []string{"", ""}, comparison.machine},
	{"accepting", []string{"", "sync", "webhooks/s", "of one publish", "answer p50", "answer p99", "CPU for 100,000", "peak memory", "lost / doubled"}, comparison.accepting},
	{"calling", []string{"", "sync", "calls/s end to end", "webhooks/s meanwhile", "CPU for 100,000", "peak memory", "lost / doubled"}, comparison.calling},
	{"steady", []string{fmt.Sprintf("%d webhooks/s", steadyRate), "webhook → API p50", "p99", "answer p50", "answer p99", "peak memory", "lost / doubled"}, comparison.steady},
	{"killed", []string{"kill -9", "webhooks", "until calls flow again", "lost / doubled"}, comparison.killed},
	{"growth", []string{"routes", "connections", "kept before", "webhooks/s", "answer p50", "answer p99", "peak memory", "heap for each kept", "next start"}, comparison.growth},
	{"lists", []string{"sync", "one contact", fmt.Sprintf("list of %d", list), "ratio", "CPU one", "CPU list", "ratio"}, comparison.lists},
	{"connection", []string{"one call after the other", "p50", "more than kept", "CPU of both ends", "more than kept"}, comparison.connection},
}

func names() (all []string) {
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

// selectParts returns the parts with these names; all if only is empty.
func selectParts(only string) (chosen []part, err error) {
	if only == "" {
		return parts, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		at := slices.Index(names(), name)
		if at < 0 {
			return nil, fmt.Errorf("no part is called %q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, parts[at])
	}
	return chosen, nil
}
