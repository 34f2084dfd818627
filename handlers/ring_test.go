package handlers_test

import (
	"strings"
	"testing"
)

// A route that rejected the event stays open; the person whom another route has called
// is not called again by it.
func TestMendedEventRingsAPersonOnce(t *testing.T) {
	t.Parallel()
	const second = `  - name: any
    source: website
    mode: live
    purpose: service
    policy: {countries: [US]}
    call: {call_to: phone}
`
	broken := strings.Replace(first, `"name":"Ada",`, "", 1)
	for name, c := range map[string]struct {
		config string
		want   uint64
	}{
		"one call for an event": {repeatConfig + second, 1},
		"also":                  {repeatConfig + strings.Replace(second, "mode: live", "mode: live\n    also: true", 1), 2},
	} {
		f := setupWith(t, c.config)
		f.want(name, f.website(broken), "requested", "", "")
		for range 2 {
			f.website(first)
		}
		if n := f.stored("CALLBRIDGE_REQUESTS"); n != c.want {
			t.Errorf("%s: %d requests, want %d", name, n, c.want)
		}
	}
}
