package main

import (
	"runtime/debug"
	"testing"
)

// TestServeLeavesTheOperatorsGCSettings changes a setting of the whole process and is
// therefore not parallel.
func TestServeLeavesTheOperatorsGCSettings(t *testing.T) {
	for set, want := range map[string]int{"": gcPercent, "GOGC": 123, "GOMEMLIMIT": 123} {
		before := debug.SetGCPercent(123)
		collectEarlier(func(name string) string {
			if name == set {
				return "100"
			}
			return ""
		})
		if got := debug.SetGCPercent(before); got != want {
			t.Errorf("with %q set, GOGC is %d, want %d", set, got, want)
		}
	}
}
