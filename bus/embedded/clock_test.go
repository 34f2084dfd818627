package embedded

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

func TestWhatAStartWouldDelete(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	use := func(ago time.Duration, messages uint64, oldest time.Duration) lastUse {
		u := lastUse{At: before(ago), Undone: Undone{Messages: messages}, Retention: "168h0m0s"}
		if messages > 0 {
			u.Undone.Oldest = before(oldest)
		}
		return u
	}
	const undone, unknown = "3 accepted events are not done", "it is not known whether they are done"
	for name, c := range map[string]struct {
		last      lastUse
		stored    time.Time
		retention time.Duration
		want      string
	}{
		"three weeks, all done":                    {use(21*day, 0, 0), before(22 * day), 7 * day, ""},
		"three weeks, not all done":                {use(21*day, 3, 22*day), before(22 * day), 7 * day, undone},
		"8 days, all done":                         {use(8*day, 0, 0), before(9 * day), 7 * day, ""},
		"8 days, not all done":                     {use(8*day, 3, 8*day), before(8 * day), 7 * day, undone},
		"3 days, the oldest is kept":               {use(3*day, 3, 6*day), before(3 * day), 7 * day, ""},
		"3 days, the oldest is not kept":           {use(3*day, 3, 8*day), before(3 * day), 7 * day, undone},
		"a night, the oldest is not kept":          {use(12*time.Hour, 3, 8*day), before(12 * time.Hour), 7 * day, ""},
		"killed, all done since":                   {use(21*day, 0, 0), before(21 * day), 7 * day, ""},
		"killed after another event":               {use(21*day, 0, 0), before(21*day - 30*time.Second), 7 * day, unknown},
		"killed after another event, and soon":     {use(time.Minute, 0, 0), before(30 * time.Second), 7 * day, ""},
		"killed after another event, which stays":  {use(3*day, 0, 0), before(3*day - 30*time.Second), 7 * day, ""},
		"a longer retention comes after the start": {use(8*day, 3, 8*day), before(8 * day), 30 * day, undone},
		"a shorter retention":                      {use(8*day, 3, 8*day), before(8 * day), 3 * day, undone},
		"a retention of a day":                     {use(13*time.Hour, 3, 25*time.Hour), before(13 * time.Hour), day, undone},
		"the clock is behind":                      {use(-8*day, 3, -8*day), before(-8 * day), 7 * day, ""},
		"no stream":                                {use(21*day, 0, 0), time.Time{}, 7 * day, ""},
		"nothing expires":                          {use(21*day, 3, 22*day), before(22 * day), 0, ""},
	} {
		if got := c.last.deletes(now, c.stored, c.retention); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// startAt starts a server on a store with what is remembered of its last use.
func startAt(t *testing.T, dir, last string) (lines *testkit.Log, err error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, lastUseName), []byte(last), 0o600); err != nil {
		t.Fatal(err)
	}
	lines = &testkit.Log{}
	s, err := Start(Config{Dir: dir, Retention: 168 * time.Hour}, "callbridge", "CALLBRIDGE_REQUESTS", lines.Logger())
	if err == nil {
		s.Close()
	}
	return lines, err
}

func TestAStartThatWouldDeleteWhatIsNotDoneIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(days time.Duration, messages uint64) string {
		then := time.Now().UTC().Add(-days * 24 * time.Hour)
		text, err := json.Marshal(lastUse{At: then, Undone: Undone{Messages: messages, Oldest: then}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, err := startAt(t, dir, at(8, 2))
	want := "2 accepted events are not done"
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "remove "+filepath.Join(dir, lastUseName)+" first") {
		t.Errorf("8 days later: %v", err)
	}
	lines, err := startAt(t, dir, at(21, 0))
	if err != nil || strings.Contains(lines.String(), "nats.clock_behind") {
		t.Errorf("three weeks later, with all done: %v\n%s", err, lines)
	}
	if lines, err = startAt(t, dir, at(-1, 2)); err != nil || !strings.Contains(lines.String(), "nats.clock_behind") {
		t.Errorf("a day earlier: %v\n%s", err, lines)
	}
	if lines, err = startAt(t, dir, `{"at": "2026-`); err != nil || !strings.Contains(lines.String(), "nats.last_use_unknown") {
		t.Errorf("with a damaged file: %v\n%s", err, lines)
	}
}

func TestTheLastUseIsRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	read := func() (last lastUse) {
		if text, err := os.ReadFile(filepath.Join(dir, lastUseName)); err == nil {
			err = json.Unmarshal(text, &last)
			if err != nil {
				t.Error(err)
			}
		}
		return last
	}
	s, err := Start(Config{Dir: dir, Retention: time.Hour}, "callbridge", "CALLBRIDGE_REQUESTS", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	undone := Undone{Messages: 1, Oldest: time.Now().UTC().Truncate(time.Second)}
	begun := time.Now().Add(-time.Second)
	end := s.RememberUse(func(context.Context) (Undone, error) { return undone, nil })
	testkit.Eventually(t, "the use is remembered", func() bool { return read().At.After(begun) })
	first := read()
	if first.Undone != undone || first.Retention != "1h0m0s" {
		t.Errorf("remembered %+v", first)
	}
	end()
	if last := read(); !last.At.After(first.At) {
		t.Errorf("at the end remembered %s, at first %s", last.At, first.At)
	}
}
