package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
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
	run  func(comparison, *table) error
}

var parts = []part{
	{"machine", comparison.machine},
	{"accepting", comparison.acceptingPart},
	{"calling", comparison.callingPart},
	{"steady", comparison.steadyPart},
	{"killed", comparison.killedPart},
	{"routes", comparison.routesPart},
	{"connections", comparison.connectionsPart},
	{"kept", comparison.keptPart},
	{"lists", comparison.listsPart},
}

func names() (all []string) {
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

// nowhere is an API that nobody asks: few calls are placed, and none matters.
const nowhere = "http://127.0.0.1:9/v1"

// bentos are Bento as one would start it, and with as many threads as there are
// processors here, which is its best.
func (c comparison) bentos() []system {
	if c.bento == "" {
		return nil
	}
	return []system{
		bento("Bento, 64 threads", c.bento, 64),
		bento(fmt.Sprintf("Bento, %d threads", runtime.NumCPU()), c.bento, runtime.NumCPU()),
	}
}

func (c comparison) machine(t *table) error {
	t.head = []string{"", ""}
	t.add("processors", fmt.Sprintf("%d × %s", runtime.NumCPU(), processor()))
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
	t.add("each load", fmt.Sprintf("%s, %d rounds in turn, medians; load, API and system on the same processors", c.time, c.rounds))
	return nil
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(info), "model name")
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
	return "unknown"
}

// contender is a system that is measured several times.
type contender struct {
	system
	sync string
	// beside is the contender that it is held against.
	beside *contender

	rates, ratios []float64
	last          accepting
}

func (c comparison) acceptingPart(t *table) error {
	t.head = []string{"accepting", "webhooks/s", "of its reference", "answer p50", "answer p99", "CPU s for 100,000", "memory", "lost"}
	all := []*contender{{system: reference("gin", "bare Gin + HMAC"), sync: "–"}}
	for _, sync := range []string{syncInterval, syncAlways} {
		basis := &contender{system: reference("publish", "Gin + HMAC + one JetStream publish"), sync: sync}
		all = append(all, basis, &contender{system: c.callbridge, sync: sync, beside: basis})
		for _, b := range c.bentos() {
			all = append(all, &contender{system: b, sync: sync, beside: basis})
		}
	}
	for range c.rounds {
		for _, one := range all {
			got, err := c.accept(one.system, one.sync)
			if err != nil {
				return err
			}
			one.last, one.rates = got, append(one.rates, got.perSecond)
			if one.beside != nil {
				one.ratios = append(one.ratios, got.perSecond/one.beside.last.perSecond)
			}
		}
	}
	for _, one := range all {
		of, lost := "–", "–"
		if one.beside != nil {
			of = ratio(median(one.ratios))
		}
		if one.last.keeps {
			lost = fmt.Sprint(one.last.lost)
		}
		t.add(one.name+", sync "+one.sync, perSecond(median(one.rates)), of, milliseconds(one.last.p50), milliseconds(one.last.p99),
			seconds(one.last.cpu), megabytes(one.last.memory), lost)
	}
	return nil
}

func (c comparison) callingPart(t *table) error {
	t.head = []string{"calling", "calls/s end to end", "webhooks/s meanwhile", "CPU s for 100,000", "peak memory", "lost / doubled"}
	type row struct {
		system
		sync  string
		calls []float64
		last  calling
	}
	rows := []*row{{system: c.callbridge, sync: syncInterval}, {system: c.callbridge, sync: syncAlways}}
	for _, b := range c.bentos() {
		rows = append(rows, &row{system: b, sync: syncInterval}, &row{system: b, sync: syncAlways})
	}
	for range c.rounds {
		for _, r := range rows {
			got, err := c.call(r.system, r.sync)
			if err != nil {
				return err
			}
			r.last, r.calls = got, append(r.calls, got.calls)
		}
	}
	for _, r := range rows {
		t.add(r.name+", sync "+r.sync, perSecond(median(r.calls)), perSecond(r.last.accepted), seconds(r.last.cpu), megabytes(r.last.memory), r.last.tally.String())
	}
	return nil
}

func (c comparison) steadyPart(t *table) error {
	t.head = []string{fmt.Sprintf("%d webhooks/s", steadyRate), "webhook → API p50", "p99", "answer p50", "answer p99", "memory", "lost / doubled"}
	for _, s := range append([]system{c.callbridge}, c.bentos()...) {
		got, err := c.hold(s, syncInterval)
		if err != nil {
			return err
		}
		t.add(s.name, milliseconds(got.call50), milliseconds(got.call99), milliseconds(got.answer50), milliseconds(got.answer99), megabytes(got.memory), got.tally.String())
	}
	return nil
}

func (c comparison) killedPart(t *table) error {
	t.head = []string{"kill -9", "webhooks", "until calls flow again", "lost / doubled"}
	for _, s := range append([]system{c.callbridge}, c.bentos()...) {
		for _, rate := range []float64{200, 0} {
			got, err := c.kill(s, rate, 50*time.Millisecond)
			if err != nil {
				return err
			}
			at := ", saturated"
			if rate > 0 {
				at = fmt.Sprintf(", %.0f webhooks/s", rate)
			}
			t.add(s.name+at, fmt.Sprint(got.sent), seconds(got.silence), got.tally.String())
		}
	}
	return nil
}

var acceptingHead = []string{"", "webhooks/s", "answer p50", "answer p99", "peak memory"}

func (c comparison) routesPart(t *table) error {
	t.head = acceptingHead
	return c.routes(c.callbridge, t)
}

func (c comparison) connectionsPart(t *table) error {
	t.head = acceptingHead
	return c.connected(c.callbridge, t)
}

func (c comparison) keptPart(t *table) error {
	t.head = append(acceptingHead[:len(acceptingHead):len(acceptingHead)], "heap each", "next start")
	return c.keeps(c.callbridge, t, 0, 100_000, 1_000_000)
}

func (c comparison) listsPart(t *table) error {
	t.head = []string{"", "one contact", fmt.Sprintf("list of %d", list), "ratio", "CPU one", "CPU list", "ratio"}
	for _, sync := range []string{syncInterval, syncAlways} {
		if err := c.lists(c.callbridge, sync, t); err != nil {
			return err
		}
	}
	return nil
}
