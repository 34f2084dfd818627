package main

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
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

// TestFatalErrorIsInTheFormatOfTheLog changes the environment and is therefore not
// parallel.
func TestFatalErrorIsInTheFormatOfTheLog(t *testing.T) {
	t.Setenv("CONFIG_FILE", "nowhere.yaml")
	for format, isJSON := range map[string]bool{"": true, "json": true, "text": false} {
		t.Setenv("LOG_FORMAT", format)
		if format == "" {
			_ = os.Unsetenv("LOG_FORMAT")
		}
		code, _, errs := callbridge(t, "", "serve")
		var line struct{ Time, Level, Msg, Error string }
		err := json.Unmarshal([]byte(errs), &line)
		if code != 1 || strings.Count(errs, "\n") != 1 || (err == nil) != isJSON {
			t.Errorf("%q: exit code %d, printed %s", format, code, errs)
		}
		if isJSON && (line.Level != "ERROR" || line.Msg != "process.failed" || line.Time == "" || !strings.Contains(line.Error, "nowhere.yaml")) {
			t.Errorf("%q: printed %s", format, errs)
		}
		if !isJSON && !strings.HasPrefix(errs, "callbridge: ") {
			t.Errorf("%q: printed %s", format, errs)
		}
	}
	t.Setenv("LOG_FORMAT", "xml")
	if code, _, errs := callbridge(t, "", "serve"); code != 1 || !json.Valid([]byte(errs)) || !strings.Contains(errs, "LOG_FORMAT") {
		t.Errorf("exit code %d, printed %s", code, errs)
	}
	if code, _, errs := callbridge(t, "", "check", "nowhere.yaml"); code != 1 || !strings.HasPrefix(errs, "callbridge: ") {
		t.Errorf("check: exit code %d, printed %s", code, errs)
	}
}
