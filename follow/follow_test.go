package follow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"callbridge/follow"
	"callbridge/follow/outcome"
	"callbridge/internal/testkit"
)

var accepted = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

// objects are what looks see, by name.
var objects = map[string]string{
	"queued":    `{"call_status": "queued"}`,
	"ringing":   `{"call_status": "ringing"}`,
	"talking":   `{"call_status": "in-progress"}`,
	"odd":       `{"call_status": "wrapped-up"}`,
	"bare":      `{"call_status": "completed", "call_duration": 60}`,
	"reached":   `{"call_status": "completed", "call_duration": 60, "transcript": "User: Yes.", "agent_task_status": "completed"}`,
	"reached2":  `{"call_status": "completed", "call_duration": 60, "transcript": "User: Yes, yes.", "agent_task_status": "completed"}`,
	"voicemail": `{"call_status": "completed", "agent_post_call_outcomes": {"answered_by": "voicemail"}}`,
	"no-answer": `{"call_status": "no-answer"}`,
	"retries":   `{"call_status": "no-answer", "agent_task_status": "failed", "retry_at": "2026-11-20T16:00:00Z"}`,
	"missed":    `{"call_status": "no-answer", "agent_task_status": "failed"}`,
	"busy":      `{"call_status": "busy", "agent_task_status": "failed"}`,
	"failed":    `{"call_status": "failed", "agent_task_status": "failed"}`,
	"undialled": `{"call_status": "failed", "disconnect_reason": "concurrency_limit_reached", "agent_task_status": "failed"}`,
	"opt-out":   `{"call_status": "in-progress", "transcript": "User: Stop calling me."}`,
	"perhaps":   `{"call_status": "no-answer", "agent_task_status": "failed", "agent_post_call_outcomes": {"opt_out": "perhaps"}}`,
	"not json":  `<html></html>`,
}

// look returns a look at an object, or "failed", or "gone".
func look(name string, at time.Time) follow.Look {
	switch name {
	case "failed look":
		return follow.Look{At: at, Result: follow.Failed}
	case "wait":
		return follow.Look{At: at, Result: follow.Failed, RetryAfter: 10 * time.Minute}
	case "gone":
		return follow.Look{At: at, Result: follow.Gone}
	}
	return follow.Look{At: at, Result: follow.Seen, Report: outcome.Default().Evaluate([]byte(objects[name]))}
}

// walk looks at a call at the times of the pace until no look follows. It sees the objects
// of a script in their order, and the last one again and again.
func walk(t *testing.T, script ...string) (s follow.State, looks []time.Duration) {
	t.Helper()
	p := follow.DefaultPace()
	s = follow.Begin(accepted)
	now := accepted
	for len(looks) < 1000 {
		next := p.Next(s, now)
		if next.IsZero() {
			return s, looks
		}
		if next.Before(now) || len(looks) > 0 && next.Equal(now) {
			t.Fatalf("look at %s after %s", next, now)
		}
		now = next
		looks = append(looks, now.Sub(accepted))
		s = p.After(s, look(script[min(len(looks), len(script))-1], now))
	}
	t.Fatal("the call is followed for ever")
	return s, looks
}

func TestCallsAreFollowedToTheirEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script string
		ended  outcome.Class
		// looks are the seconds after the acceptance, "n" of them if it ends with "…".
		looks string
		why   string
	}{
		{"two equal looks settle", "reached", outcome.Reached, "20 50", ""},
		{"open first", "queued, ringing, talking, reached", outcome.Reached, "20 50 110 230 260", ""},
		{"looks that differ", "reached, reached2, reached, reached2, reached", outcome.Reached, "20 50 110 230 320", ""},
		{"no analysis", "no-answer", outcome.NoAnswer, "20 50 110 230 320", ""},
		{"a bare end", "bare", outcome.Unclassified, "20 50 110 230 320", ""},
		{"analysis after some minutes", "bare, bare, bare, reached", outcome.Reached, "20 50 110 230 320", ""},
		{"an end that goes back", "missed, ringing, missed", outcome.NoAnswer, "20 50 110", ""},
		{"an end that stays back", "missed, ringing", outcome.NoAnswer, "20 50 110 230 320", ""},
		{"an end, then gone", "bare, gone", outcome.Unclassified, "20 50 110 230", ""},
		{"an end, then errors", "bare, failed look", outcome.Unclassified, "20 50 110 230 320", ""},
		{"an end, then not JSON", "reached, not json, reached", outcome.Reached, "20 50 110", ""},
		{"gone", "gone", outcome.Unresolved, "20 50 110 230 470", "Callab does not have the call any more"},
		{"gone for a moment", "gone, gone, reached", outcome.Reached, "20 50 110 140", ""},
		{"errors, then an end", "failed look, not json, reached", outcome.Reached, "20 50 110 140", ""},
		{"Retry-After", "wait, reached", outcome.Reached, "20 620 650", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, looks := walk(t, strings.Split(c.script, ", ")...)
			seconds := make([]string, len(looks))
			for i, d := range looks {
				seconds[i] = fmt.Sprint(int(d.Seconds()))
			}
			if got := strings.Join(seconds, " "); got != c.looks || s.Ended != c.ended || s.Report.Floor != c.why && c.why != "" {
				t.Errorf("looks at %s, want %s; %s", got, c.looks, testkit.JSON(t, s))
			}
		})
	}
}

func TestOpenCallsAreGivenUpAfterFourHours(t *testing.T) {
	t.Parallel()
	for script, why := range map[string]string{
		"talking":          "no end was seen within 4h0m0s",
		"odd":              "no end was seen within 4h0m0s",
		"not json":         "the call could not be read 4h0m0s after it was accepted",
		"failed look":      "the call could not be read 4h0m0s after it was accepted",
		"talking, ringing": "no end was seen within 4h0m0s",
	} {
		s, looks := walk(t, strings.Split(script, ", ")...)
		last := looks[len(looks)-1]
		if s.Ended != outcome.Unresolved || s.Report.Floor != why || last < 4*time.Hour || last > 4*time.Hour+5*time.Minute || len(looks) > 60 {
			t.Errorf("%s: %d looks, the last after %s: %s", script, len(looks), last, testkit.JSON(t, s))
		}
	}
}

// TestACallIsLookedAtBeforeItIsGivenUp: a process that was away for a day does not know
// that a call has no end.
func TestACallIsLookedAtBeforeItIsGivenUp(t *testing.T) {
	t.Parallel()
	p := follow.DefaultPace()
	now := accepted.Add(24 * time.Hour)
	s := follow.Begin(accepted)
	if next := p.Next(s, now); !next.Equal(now) {
		t.Errorf("next look %s, want now", next)
	}
	if after := p.After(s, look("failed look", now)); after.Ended != "" {
		t.Errorf("given up after one error: %s", testkit.JSON(t, after))
	}
	if after := p.After(s, look("reached", now)); after.Ended != outcome.Reached {
		t.Errorf("%s", testkit.JSON(t, after))
	}
	if after := p.After(s, look("talking", now)); after.Ended != outcome.Unresolved {
		t.Errorf("%s", testkit.JSON(t, after))
	}
}

func TestAnotherAttemptNeedsProofThatNobodyWasThere(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"missed":             "",
		"no-answer":          "",
		"busy":               "",
		"voicemail":          "",
		"undialled":          "",
		"failed":             "it is not proved that no person was there",
		"reached":            "it is not proved that no person was there",
		"bare":               "it is not proved that no person was there",
		"talking":            "it is not proved that no person was there",
		"gone":               "it is not proved that no person was there",
		"retries":            "Callab calls again by itself",
		"perhaps":            "the person may not want another call",
		"opt-out, missed":    "the person may not want another call",
		"no-answer, reached": "it is not proved that no person was there",
		"missed, ringing":    "the status went back after the end: the call may have gone on",
		"missed, opt-out":    "the person may not want another call",
	} {
		s, _ := walk(t, strings.Split(script, ", ")...)
		if may, why := s.Again(); why != want || may != (want == "") {
			t.Errorf("%s: %v %q, want %q: %s", script, may, why, want, testkit.JSON(t, s))
		}
	}
	if _, why := follow.Begin(accepted).Again(); why != "the call has not ended" {
		t.Error(why)
	}
	s := follow.DefaultPace().After(follow.Begin(accepted), look("missed", accepted.Add(time.Minute)))
	if _, why := s.Again(); s.Ended != outcome.NoAnswer || why != "the analysis has not settled" {
		t.Errorf("%q: %s", why, testkit.JSON(t, s))
	}
}

// TestNoOrderOfLooksChangesAnEnd looks at calls in random orders, and stores and reads the
// state between two looks.
func TestNoOrderOfLooksChangesAnEnd(t *testing.T) {
	t.Parallel()
	names := []string{"failed look", "wait", "gone"}
	for name := range objects {
		names = append(names, name)
	}
	random := rand.New(rand.NewPCG(1, 2))
	p := follow.DefaultPace()
	for run := range 2000 {
		s := follow.Begin(accepted)
		now, looks, isFinal, optOut := accepted, []string{}, false, false
		for {
			next := p.Next(s, now)
			if next.IsZero() {
				break
			}
			now = next.Add(time.Duration(random.IntN(90)) * time.Second)
			name := names[random.IntN(len(names))]
			looks = append(looks, name)
			l := look(name, now)
			after := p.After(s, l)
			isFinal = isFinal || l.Report.Final()
			optOut = optOut || l.Report.OptOut.Answer == outcome.Yes
			switch {
			case s.Ended != "" && after.Ended != s.Ended:
				t.Fatalf("run %d, %v: %s became %s", run, looks, s.Ended, after.Ended)
			case after.Analysed && after.Ended == "", isFinal && after.Ended == outcome.Unresolved, len(looks) > 200:
				t.Fatalf("run %d, %v: %s", run, looks, testkit.JSON(t, after))
			case optOut && after.Report.OptOut.Answer != outcome.Yes:
				t.Fatalf("run %d, %v: the opt-out is lost: %s", run, looks, testkit.JSON(t, after))
			}
			s = follow.State{}
			if err := json.Unmarshal([]byte(testkit.JSON(t, after)), &s); err != nil || !reflect.DeepEqual(s, after) {
				t.Fatalf("run %d: stored %+v, read %+v: %v", run, after, s, err)
			}
		}
		if may, _ := s.Again(); may && (optOut || s.Ended == outcome.Reached || s.Ended == outcome.Unresolved) {
			t.Fatalf("run %d, %v: another attempt: %s", run, looks, testkit.JSON(t, s))
		}
	}
}

func TestPaceIsValidated(t *testing.T) {
	t.Parallel()
	if err := follow.DefaultPace().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*follow.Pace){
		"the time to the next look must be above 0":                          func(p *follow.Pace) { p.First = 0 },
		"the longest time between two looks must not be below the shortest":  func(p *follow.Pace) { p.Most = p.Every - 1 },
		"a call must be followed for longer than the time between two looks": func(p *follow.Pace) { p.GiveUp = time.Minute },
	} {
		p := follow.DefaultPace()
		change(&p)
		if err := p.Validate(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
