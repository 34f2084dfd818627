package connect

import "testing"

func TestMinimumServerComparesThePatchNumber(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"2.12.6": true, "2.12.7": true, "2.12.15": true, "2.13.0": true, "2.15.2": true, "3.0.0": true, "v2.12.6": true,
		"2.12.5": false, "2.12.0": false, "2.11.99": false, "1.99.99": false,
		"2.12.6-RC.1": false, "2.12.7-RC.1": true, "2.15.0-preview.2": true,
		"2.12": false, "": false, "unknown": false,
	} {
		if got := atLeast(version, minServer); got != want {
			t.Errorf("nats-server %q is new enough: %t, want %t", version, got, want)
		}
	}
}
