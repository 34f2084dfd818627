//go:build unix

package crash_test

import (
	"syscall"
	"testing"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/event"
)

// stopSignal is what a supervisor ends a service with.
const stopSignal = syscall.SIGTERM

// running is a bridge in the middle of eight calls that Callab takes its time
// to answer, and that has the patience for it also where the machine is busy.
func running(t *testing.T) (*world, *process) {
	t.Helper()
	const calls = 8
	w := newWorld(t, setup{environ: map[string]string{
		"DIAL_CONCURRENCY": "8", "CALLAB_TIMEOUT": patientCall.String(), "DIAL_CLAIM_AGE": (2 * patientCall).String(),
	}})
	w.callab.Fail(callabsim.Fault{Kind: callabsim.Slow, Delay: callabTimeout * 8 / 10, Times: calls})
	p := w.launch()
	for range calls {
		w.crm.happen(1)
	}
	w.crm.open.Wait()
	await(t, 30*time.Second, "all calls are running", func() bool { return len(w.callab.Placed()) == calls })
	return w, p
}

func TestStopRecordsRunningCalls(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	p.signal(stopSignal)
	await(t, patientCall+5*time.Second, "the process ends", p.gone)
	if p.exitCode() != 0 {
		t.Errorf("ended with code %d:\n%s", p.exitCode(), p.lastWords(20))
	}
	w.launch()
	w.finish("stopped")
	for id, results := range w.results.all() {
		if results[0] != (result{event.Accepted, event.ReasonCreated}) {
			t.Errorf("%s ended %s: the answer was not recorded before the process ended", id, results[0])
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	p.signal(stopSignal)
	await(t, 5*time.Second, "the stop begins", func() bool { return p.said("process.stopping") })
	p.signal(stopSignal)
	await(t, 5*time.Second, "the process ends", p.gone)
	if p.exitCode() == 0 {
		t.Error("the second signal was taken for the first")
	}
	w.launch()
	w.finish("stopped twice")
}

// TestContradictingTimingsAreRefused: each line breaks one rule, by two
// variables.
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
			w := newWorld(t, setup{environ: map[string]string{c.variable: c.value}})
			p := w.attempt()
			await(t, 30*time.Second, "the process ends", p.gone)
			if p.exitCode() != 1 || !p.said(c.variable+" "+c.value, c.other) && !p.said(c.other, c.variable) {
				t.Errorf("ended with code %d and %q; want both %s and %s named", p.exitCode(), p.lastWords(5), c.variable, c.other)
			}
		})
	}
}
