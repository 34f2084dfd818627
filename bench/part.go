package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// comparison is what the parts need.
type comparison struct {
	*bench
	rounds     int
	callbridge system
	bento      string
}

// part of the benchmark; each makes one table.
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

// choose finds parts by their names; all if there are none.
func choose(only string) (chosen []part, err error) {
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

// nowhere is an API that nobody asks: few calls are placed, and none matters.
const nowhere = "http://127.0.0.1:9/v1"

// usualThreads is what Bento is given as one would start it.
const usualThreads = 64

// bentos are Bento as one would start it, and with as many threads as there are
// processors here, which is its best.
func (c comparison) bentos() []system {
	if c.bento == "" {
		return nil
	}
	return []system{bento(c.bento, usualThreads), bento(c.bento, runtime.NumCPU())}
}

func (c comparison) machine(_ context.Context, t *table) error {
	t.add("processors", fmt.Sprintf("%d × %s", runtime.NumCPU(), processorName()))
	t.add("system", output("uname", "-sr"))
	t.add("Go", runtime.Version())
	t.add("callbridge", output("git", "describe", "--always", "--dirty"))
	for _, module := range []string{"github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go", "github.com/gin-gonic/gin"} {
		t.add(module, moduleVersion(module))
	}
	if c.bento != "" {
		version, _, _ := strings.Cut(output(c.bento, "--version"), "\n")
		t.add("Bento", strings.TrimPrefix(version, "Version: "))
	}
	t.add("date", time.Now().UTC().Format(time.DateOnly))
	t.add("each load", fmt.Sprintf("%s; rounds in turn: %d", c.time, c.rounds))
	return nil
}

func processorName() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, found := strings.Cut(string(info), "model name")
	if !found {
		return runtime.GOARCH
	}
	line, _, _ := strings.Cut(rest, "\n")
	_, model, _ := strings.Cut(line, ":")
	return strings.TrimSpace(model)
}

func output(program string, arguments ...string) string {
	out, _ := exec.Command(program, arguments...).Output()
	return strings.TrimSpace(string(out))
}

func moduleVersion(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return unknown
}
