//go:build unix

package crash_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/event"
)

// stopSignal is the signal with which a supervisor stops a service.
const stopSignal = syscall.SIGTERM

// startWithRunningCalls returns a bridge with eight calls in progress that Callab
// answers slowly, with a timeout that is long enough on a busy machine.
func startWithRunningCalls(t *testing.T, delay time.Duration) (*fixture, *process) {
	t.Helper()
	const calls = 8
	f := newFixture(t, scenario{environ: map[string]string{
		"DIAL_CONCURRENCY": "8", "CALLAB_TIMEOUT": longCallTimeout.String(), "DIAL_CLAIM_AGE": (2 * longCallTimeout).String(),
	}})
	f.callab.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: delay, Times: calls})
	p := f.launch()
	for range calls {
		f.crm.newEvent(1)
	}
	f.crm.pending.Wait()
	await(t, 30*time.Second, "all calls are running", func() bool { return len(f.callab.Placed()) == calls })
	return f, p
}

func TestStopWaitsForRunningCalls(t *testing.T) {
	t.Parallel()
	f, p := startWithRunningCalls(t, callabTimeout*8/10)
	p.signal(stopSignal)
	await(t, longCallTimeout+5*time.Second, "the process ends", p.gone)
	if p.exitCode() != 0 {
		t.Errorf("ended with code %d:\n%s", p.exitCode(), p.logTail(20))
	}
	f.launch()
	f.finish("stopped")
	for id, results := range f.results.all() {
		if results[0] != (result{event.Accepted, event.ReasonCreated}) {
			t.Errorf("%s ended %s: the answer was not recorded before the process ended", id, results[0])
		}
	}
}

func TestSecondSignalStopsImmediately(t *testing.T) {
	t.Parallel()
	f, p := startWithRunningCalls(t, longCallTimeout*8/10)
	p.signal(stopSignal)
	await(t, 5*time.Second, "the stop begins", func() bool { return p.logged("process.stopping") })
	p.signal(stopSignal)
	await(t, 5*time.Second, "the process ends", p.gone)
	if p.exitCode() == 0 {
		t.Error("exit code 0 after the second signal")
	}
	f.launch()
	f.finish("stopped twice")
}

// Each line breaks one rule about two variables.
func TestContradictingTimingsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ variable, value, other string }{
		{"DIAL_WRITE_WINDOW", "1m", "DIAL_CLAIM_AGE"},
		{"CALLAB_TIMEOUT", "1m", "DIAL_CLAIM_AGE"},
		{"CALLAB_IDLE", "1m", "DIAL_CLAIM_AGE"},
		{"DIAL_CLAIM_AGE", "1s", "CALLAB_TIMEOUT"},
		{"DIAL_ACK_WAIT", "1m", "DIAL_CLAIM_AGE"},
		{"DIAL_SETTLE", "100ms", "DIAL_WRITE_WINDOW"},
	} {
		t.Run(c.variable, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, scenario{environ: map[string]string{c.variable: c.value}})
			p := f.start()
			await(t, 30*time.Second, "the process ends", p.gone)
			if p.exitCode() != 1 || !p.logged(c.variable+" "+c.value, c.other) && !p.logged(c.other, c.variable) {
				t.Errorf("ended with code %d and %q; want both %s and %s named", p.exitCode(), p.logTail(5), c.variable, c.other)
			}
		})
	}
}

// grace is the time that a process has to stop, as documented in docs/operations.md
// and set by the files in deploy.
const grace = time.Minute

// longCallTimeout is much longer than the simulator needs for an answer, so that only
// a stop can leave a call without one.
const longCallTimeout = 10 * time.Second

// Processes are replaced one after another by SIGTERM while webhooks arrive. Each
// event must end with the answer of its call, without a search in Callab's list.
func TestRollingUpdateLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, m := range []struct {
		name            string
		processes, nats int
		short, long     int
	}{
		{"embedded NATS", 1, 0, 3, 30},
		{"two processes", 2, 1, 4, 60},
		{"two processes, cluster of three", 2, 3, 4, 60},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			stops := m.short
			if *long {
				stops = m.long
			}
			f := newFixture(t, scenario{
				nats: m.nats, sim: callabsim.Options{Latency: 300 * time.Millisecond},
				environ: map[string]string{"CALLAB_TIMEOUT": longCallTimeout.String(), "DIAL_CLAIM_AGE": (2 * longCallTimeout).String()},
			})
			for range m.processes {
				f.launch()
			}
			r := rolling{fixture: f}
			f.underLoad(func() {
				for i := range stops {
					r.replace(i % m.processes)
				}
			})
			r.check(stops, f.finish(m.name))
		})
	}
}

// rolling is a rolling update.
type rolling struct {
	*fixture
	// stops counts the processes that were stopped, withCalls those that had
	// calls in progress.
	stops, withCalls int
	longest          time.Duration
}

// replace stops a process, waits for its end, and starts another one.
func (r *rolling) replace(place int) {
	r.t.Helper()
	b := r.bridges[place]
	old, placed := b.process(), len(r.callab.Placed())
	await(r.t, time.Minute, "calls are running", func() bool { return len(r.callab.Placed()) > placed+1 })
	began := time.Now()
	old.signal(stopSignal)
	await(r.t, grace, "the process ends within its grace period", old.gone)
	r.longest = max(r.longest, time.Since(began))
	if old.exitCode() != 0 || !old.logged("process.stopped") {
		r.t.Errorf("ended with code %d:\n%s", old.exitCode(), old.logTail(20))
	}
	r.stops++
	if old.loggedAfter("process.stopping", "call.attempted") {
		r.withCalls++
	}
	next := r.start()
	b.mu.Lock()
	b.current = next
	b.mu.Unlock()
	await(r.t, 30*time.Second, "the next process starts", func() bool { return next.addresses().Webhooks != "" })
}

// check fails the test unless every call has its own answer, although processes were
// stopped during calls.
func (r *rolling) check(stops int, a account) {
	r.t.Helper()
	if r.stops != stops || r.withCalls == 0 {
		r.t.Errorf("%d processes were stopped, %d of them with calls running; want %d, and some", r.stops, r.withCalls, stops)
	}
	var cut []string
	for id, results := range r.results.all() {
		if results[0] != (result{event.Accepted, event.ReasonCreated}) {
			cut = append(cut, fmt.Sprintf("%s ended %s", id, results[0]))
		}
	}
	if len(cut) > 0 {
		r.t.Errorf("%d calls were interrupted by a stop:\n%s", len(cut), strings.Join(cut, "\n"))
	}
	r.t.Logf("%s: %d events in %d webhooks (%d sent again), %d processes stopped by SIGTERM, %d of them with calls running, the longest in %s: dialled twice %d, lost %d, not one result %d",
		a.mode, a.events, a.webhooks, r.crm.unavailable.Load(), r.stops, r.withCalls, r.longest.Round(time.Millisecond), a.twice, a.lost, a.notOne)
}
