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
