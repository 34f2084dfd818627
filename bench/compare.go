package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// comparison has what the parts need: the systems to compare and how often.
type comparison struct {
	*bench
	rounds     int
	callbridge system
	bento      string
}

// unusedAPI is the API address where calls are not measured: nothing listens there.
const unusedAPI = "http://127.0.0.1:9/v1"

// defaultThreads is the number of Bento's threads in a usual configuration.
const defaultThreads = 64

// bentos returns Bento with the usual number of threads, and with one thread for
// each processor, which is its fastest configuration.
func (c comparison) bentos() []system {
	if c.bento == "" {
		return nil
	}
	return []system{bento(c.bento, defaultThreads), bento(c.bento, runtime.NumCPU())}
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

// contender is a system that is measured several times, in turn with others, so
// that other load on the machine affects all of them.
type contender[T any] struct {
	system
	sync string
	// baseline is the contender that it is compared with.
	baseline *contender[T]
	rounds   []T
}

// inTurn measures each contender once in each round.
func inTurn[T any](ctx context.Context, rounds int, all []*contender[T], measure func(context.Context, system, string) (T, error)) error {
	for range rounds {
		for _, one := range all {
			got, err := measure(ctx, one.system, one.sync)
			if err != nil {
				return err
			}
			one.rounds = append(one.rounds, got)
		}
	}
	return nil
}

// accepting compares systems that store webhooks with reference points that do
// the minimum.
func (c comparison) accepting(ctx context.Context, t *table) error {
	all := []*contender[accepting]{{system: reference("gin", "bare Gin + HMAC"), sync: unknown}}
	for _, sync := range []string{syncInterval, syncAlways} {
		publish := &contender[accepting]{system: reference("publish", "Gin + HMAC + one JetStream publish"), sync: sync}
		all = append(all, publish)
		others := append([]system{reference("packed", "Gin + HMAC + publishes shared"), c.callbridge}, c.bentos()...)
		for _, s := range others {
			all = append(all, &contender[accepting]{system: s, sync: sync, baseline: publish})
		}
	}
	if err := inTurn(ctx, c.rounds, all, c.accept); err != nil {
		return err
	}
	for _, one := range all {
		median := medianRound(one.rounds, func(a accepting) float64 { return a.perSecond })
		median.storage = storage{stateless: median.stateless}
		for _, r := range one.rounds {
			median.lost, median.doubled = median.lost+r.lost, median.doubled+r.doubled
		}
		t.add(one.name, one.sync, perSecond(median.perSecond), relative(one), milliseconds(median.p50), milliseconds(median.p99),
			processor(median.cpu, seconds), megabytes(median.memory), median.storage.String())
	}
	return nil
}

// relative returns the rate relative to the baseline: the median of all rounds.
func relative(one *contender[accepting]) string {
	if one.baseline == nil {
		return unknown
	}
	var all []float64
	for i, r := range one.rounds {
		all = append(all, r.perSecond/one.baseline.rounds[i].perSecond)
	}
	return ratio(quantile(all, .5), 1)
}

func (c comparison) calling(ctx context.Context, t *table) error {
	var all []*contender[calling]
	for _, sync := range []string{syncInterval, syncAlways} {
		for _, s := range append([]system{c.callbridge}, c.bentos()...) {
			all = append(all, &contender[calling]{system: s, sync: sync})
		}
	}
	if err := inTurn(ctx, c.rounds, all, c.call); err != nil {
		return err
	}
	for _, one := range all {
		median := medianRound(one.rounds, func(c calling) float64 { return c.calls })
		var sum tally
		for _, r := range one.rounds {
			sum = sum.add(r.tally)
		}
		t.add(one.name, one.sync, perSecond(median.calls), perSecond(median.accepted), processor(median.cpu, seconds), megabytes(median.memory), sum.String())
	}
	return nil
}

// steady compares latencies at a constant rate. The reference points show the
// part of the machine and of the load generator.
func (c comparison) steady(ctx context.Context, t *table) error {
	var references, all []*contender[steady]
	for _, s := range []system{reference("gin", "bare Gin + HMAC"), reference("publish", "Gin + HMAC + one JetStream publish")} {
		references = append(references, &contender[steady]{system: s, sync: syncInterval})
	}
	for _, s := range append([]system{c.callbridge}, c.bentos()...) {
		all = append(all, &contender[steady]{system: s, sync: syncInterval})
	}
	for range c.rounds {
		if err := inTurn(ctx, 1, references, c.answerSteadily); err != nil {
			return err
		}
		if err := inTurn(ctx, 1, all, c.callSteadily); err != nil {
			return err
		}
	}
	for _, one := range references {
		median := medianRound(one.rounds, func(s steady) float64 { return float64(s.answer99) })
		t.add(one.name, unknown, unknown, milliseconds(median.answer50), milliseconds(median.answer99), megabytes(median.memory), unknown)
	}
	for _, one := range all {
		median := medianRound(one.rounds, func(s steady) float64 { return float64(s.call99) })
		var sum tally
		for _, r := range one.rounds {
			sum = sum.add(r.tally)
		}
		t.add(one.name, milliseconds(median.call50), milliseconds(median.call99), milliseconds(median.answer50), milliseconds(median.answer99), megabytes(median.memory), sum.String())
	}
	return nil
}

// killedLatency is the latency of the API in this part, so that a kill interrupts
// calls.
const killedLatency = 50 * time.Millisecond

// killed omits Bento with few threads: with this latency it places calls more
// slowly than webhooks arrive.
func (c comparison) killed(ctx context.Context, t *table) error {
	systems := []system{c.callbridge}
	if c.bento != "" {
		systems = append(systems, bento(c.bento, defaultThreads))
	}
	for _, s := range systems {
		for _, rate := range []float64{200, 0} {
			got, err := c.kill(ctx, s, rate, killedLatency)
			if err != nil {
				return err
			}
			at, silence := ", saturated", unknown
			if rate > 0 {
				at = fmt.Sprintf(", %.0f webhooks/s", rate)
			}
			if got.silence > 0 {
				silence = seconds(got.silence)
			}
			t.add(s.name+at, fmt.Sprint(got.sent), silence, got.tally.String())
		}
	}
	return nil
}
