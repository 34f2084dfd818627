//go:build linux && amd64

package crash_test

import (
	"encoding/json"
	"testing"
	"time"
)

func TestClockOfABridgeIsMoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{clocks: []time.Duration{-time.Hour}})
	p := f.launch()
	for _, ahead := range []time.Duration{-time.Hour, time.Hour, 0} {
		f.setClock(0, ahead)
		await(t, time.Minute, "the log has the time of the moved clock", func() bool {
			f.crm.newEvent(1)
			f.crm.pending.Wait()
			var line struct{ Time time.Time }
			err := json.Unmarshal([]byte(p.logTail(1)), &line)
			return err == nil && time.Until(line.Time).Round(10*time.Minute) == ahead
		})
	}
}

// With a clock that is ahead, NATS would delete at the start what waits for its call.
func TestAClockThatIsAheadDeletesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, scenario{clocks: []time.Duration{0}, environ: map[string]string{"CALLAB_TOKEN": "wrong"}})
	p := f.launch()
	f.crm.newEvent(1)
	f.crm.pending.Wait()
	p.kill()
	f.setClock(0, 8*24*time.Hour)
	p = f.start()
	await(t, 30*time.Second, "the process ends", p.gone)
	if p.exitCode() != 1 || !p.logged("the clock of this machine says", "correct the clock and start again") {
		t.Errorf("ended with code %d:\n%s", p.exitCode(), p.logTail(5))
	}
	f.setClock(0, 0)
	f.scenario.environ["CALLAB_TOKEN"] = callabToken
	f.launch()
	f.finish("clock 8 days ahead")
}
