//go:build unix

package crash_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// waitingRequests is how many requests wait in TestManyRequestsWaitForTheSameMoment.
var waitingRequests = flag.Int("waiting", 2000, "how many requests wait for the same moment; 100,000 take about a quarter of an hour")

const (
	// mostMemory bounds the resident memory of the bridge, in KiB.
	mostMemory = 400 << 10
	// mostLatency bounds the 99th percentile of the answers to webhooks. The short form
	// runs beside other tests.
	mostLatency = 50 * time.Millisecond
)

// TestManyRequestsWaitForTheSameMoment: all are called once at DIAL_RATE when a stop ends, in
// bounded memory, and webhooks are answered and called meanwhile.
func TestManyRequestsWaitForTheSameMoment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{environ: map[string]string{"DIAL_RATE": "1000", "DIAL_CONCURRENCY": "32"}})
	p := f.launch()
	f.results.follow(f.natsURL())
	f.command("stop", "--source", "crm", "--why", "test")
	began := time.Now()
	f.sendAtOnce(*waitingRequests)
	sent := time.Since(began)
	await(t, time.Hour, "all requests wait", func() bool { return f.results.deferred.Load() >= int64(*waitingRequests) })
	waits := time.Since(began)
	if n := len(f.callab.Placed()); n != 0 {
		t.Errorf("%d calls were placed during the stop", n)
	}
	f.command("resume")
	began = time.Now()
	latencies := f.webhooksUntil(func() bool { return f.results.ended.Load() >= int64(*waitingRequests) })
	took := time.Since(began)
	a := f.finish("many wait")
	if f.results.ended.Load() != int64(len(f.crm.all())) {
		t.Errorf("%d ends of %d requests", f.results.ended.Load(), len(f.crm.all()))
	}
	memory, p99 := peakMemory(t, p), latencies[len(latencies)*99/100]
	t.Logf("%d requests: sent in %s, all wait after %s; called in %s, %.0f a second, twice %d, lost %d; peak memory %d MiB; %d webhooks meanwhile: p50 %s, p99 %s",
		*waitingRequests, sent.Round(time.Second), waits.Round(time.Second), took.Round(time.Second), float64(*waitingRequests)/took.Seconds(), a.twice, a.lost, memory>>10,
		len(latencies), latencies[len(latencies)/2].Round(time.Millisecond), p99.Round(time.Millisecond))
	if memory > mostMemory {
		t.Errorf("the bridge has used %d MiB", memory>>10)
	}
	if *long && p99 > mostLatency {
		t.Errorf("webhooks were answered within %s, p99", p99)
	}
}

// command runs a command of callbridge beside the embedded NATS.
func (f *fixture) command(arguments ...string) {
	f.t.Helper()
	cmd := exec.Command(hooked(f.t), arguments...)
	cmd.Env = []string{"NATS_LISTEN=" + strings.TrimPrefix(f.addresses()[0].NATS, "nats://"), "NATS_STORE_DIR=" + f.storeDir()}
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("callbridge %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

// sendAtOnce sends webhooks of new events, as fast as some connections allow.
func (f *fixture) sendAtOnce(n int) {
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range n / 32 {
				f.crm.deliver(f.crm.newEvent(0))
			}
		})
	}
	for range n % 32 {
		f.crm.deliver(f.crm.newEvent(0))
	}
	all.Wait()
}

// webhooksUntil sends a webhook every 50 ms until a condition holds, and returns how long
// the answers took, sorted.
func (f *fixture) webhooksUntil(done func() bool) (took []time.Duration) {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Hour)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() || len(took) < 20 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatal("not within an hour")
		}
		key := f.crm.newEvent(0)
		began := time.Now()
		f.crm.deliver(key)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// peakMemory is the largest resident memory of a process, in KiB.
func peakMemory(t *testing.T, p *process) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if os.IsNotExist(err) {
		return 0 // not Linux
	}
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
