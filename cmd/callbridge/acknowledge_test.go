package main

import (
	"strings"
	"testing"
	"time"
)

// TestAcknowledgeNeedsAReason, and says in one sentence what else is missing.
func TestAcknowledgeNeedsAReason(t *testing.T) {
	t.Setenv("NATS_STORE_DIR", t.TempDir())
	t.Setenv("NATS_LISTEN", "127.0.0.1:1")
	for want, args := range map[string][]string{
		"--why is empty":                {"streams", "acknowledge"},
		"is `callbridge serve` running": {"streams", "acknowledge", "--why", "disk replaced"},
	} {
		if code, _, errs := callbridge(t, "", args...); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
	}
}

func TestTheTimeOfABackup(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 4, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "", "2026-11-29T03:00:00Z": "", "2026-11-29T04:30:00+01:00": "",
		"yesterday": "is no time", "2026-11-30T03:00:00Z": "is in the future",
	} {
		at, err := restoreTime(text, now)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, at, err, want)
		}
	}
}
