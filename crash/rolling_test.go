//go:build unix

package crash_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/event"
)

// grace is how long a process may take to stop, as docs/operations.md has it
// and the files in deploy set it.
const grace = time.Minute

// patientCall is far more than the simulator takes for an answer here, so that
// a call without one can only be a call that a stop has cut off.
const patientCall = 10 * time.Second

// TestRollingUpdateLosesAndDoublesNothing replaces processes one after another
// while webhooks arrive, by SIGTERM, as a supervisor does. Nobody kills: so each
// event has to end as if nothing had happened, not as a call to be looked up.
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
			w := newWorld(t, setup{
				nats: m.nats, sim: callabsim.Options{Latency: 300 * time.Millisecond},
				environ: map[string]string{"CALLAB_TIMEOUT": patientCall.String(), "DIAL_CLAIM_AGE": (2 * patientCall).String()},
			})
			for range m.processes {
				w.launch()
			}
			r := rolling{world: w}
			w.under(func() {
				for i := range stops {
					r.replace(i % m.processes)
				}
			})
			r.check(stops, w.finish(m.name))
		})
	}
}

// rolling is an update, one process after another.
type rolling struct {
	*world
	// stops are the processes that ended when they were asked to, caught those
	// that did while calls of theirs were running.
	stops, caught int
	longest       time.Duration
}

// replace stops a process, waits for its end, and starts another in its place.
func (r *rolling) replace(place int) {
	r.t.Helper()
	b := r.bridges[place]
	old, placed := b.process(), len(r.callab.Placed())
	await(r.t, time.Minute, "calls are running", func() bool { return len(r.callab.Placed()) > placed+1 })
	began := time.Now()
	old.signal(stopSignal)
	await(r.t, grace, "the process ends within its grace period", old.gone)
	r.longest = max(r.longest, time.Since(began))
	if old.exitCode() != 0 || !old.said("process.stopped") {
		r.t.Errorf("ended with code %d:\n%s", old.exitCode(), old.lastWords(20))
	}
	r.stops++
	if old.saidAfter("process.stopping", "call.attempted") {
		r.caught++
	}
	next := r.attempt()
	b.mu.Lock()
	b.current = next
	b.mu.Unlock()
	await(r.t, 30*time.Second, "the next process starts", func() bool { return next.addresses().Webhooks != "" })
}

// check fails the test unless every call was placed and answered for in one go,
// though processes were stopped in the middle of calls.
func (r *rolling) check(stops int, a account) {
	r.t.Helper()
	if r.stops != stops || r.caught == 0 {
		r.t.Errorf("%d processes were stopped, %d of them with calls running; want %d, and some", r.stops, r.caught, stops)
	}
	var cut []string
	for id, results := range r.results.all() {
		if results[0] != (result{event.Accepted, event.ReasonCreated}) {
			cut = append(cut, fmt.Sprintf("%s ended %s", id, results[0]))
		}
	}
	if len(cut) > 0 {
		r.t.Errorf("a stop has cut off %d calls:\n%s", len(cut), strings.Join(cut, "\n"))
	}
	r.t.Logf("%s: %d events in %d webhooks (%d sent again), %d processes stopped by SIGTERM, %d of them with calls running, the longest in %s: dialled twice %d, lost %d, not one result %d",
		a.mode, a.events, a.webhooks, r.crm.unavailable.Load(), r.stops, r.caught, r.longest.Round(time.Millisecond), a.twice, a.lost, a.notOne)
}

// saidAfter reports whether a line with the second text comes after one with
// the first.
func (p *process) saidAfter(first, second string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, after, found := strings.Cut(strings.Join(p.lines, "\n"), first)
	return found && strings.Contains(after, second)
}
