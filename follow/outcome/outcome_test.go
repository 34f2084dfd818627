package outcome_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/follow/outcome"
	"callbridge/internal/testkit"
)

// classes are the classes of the recorded calls of testdata/calls.
var classes = map[string]outcome.Class{
	"reached":                             "reached",
	"reached-transcript-object":           "reached",
	"reached-list-of-lines":               "reached",
	"reached-words":                       "reached",
	"reached-quoted":                      "reached",
	"reached-quoted-list":                 "reached",
	"reached-quoted-objects":              "reached",
	"reached-callback":                    "reached",
	"reached-callback-without-zone":       "reached",
	"reached-opt-out-in-transcript":       "reached",
	"reached-opt-out-german":              "reached",
	"reached-opt-out-quoted":              "reached",
	"reached-opt-out-disposition":         "reached",
	"reached-opt-out-unclear":             "reached",
	"bare-completed":                      "unclassified",
	"bare-completed-upper-case":           "unclassified",
	"bare-completed-task-done":            "unclassified",
	"bare-completed-hung-up":              "unclassified",
	"bare-completed-unknown-reason":       "unclassified",
	"bare-completed-agent-alone":          "unclassified",
	"bare-completed-silence":              "unclassified",
	"bare-completed-consent-false":        "unclassified",
	"voicemail-as-completed":              "voicemail",
	"voicemail-greeting-in-pieces":        "voicemail",
	"voicemail-german":                    "voicemail",
	"voicemail-quoted":                    "voicemail",
	"voicemail-by-reason":                 "voicemail",
	"voicemail-quoted-but-a-person-spoke": "unclassified",
	"voicemail-or-spouse":                 "unclassified",
	"voicemail-then-picked-up":            "reached",
	"screening-alone":                     "screened",
	"screening-then-person":               "reached",
	"screening-then-unclear":              "unclassified",
	"reception":                           "unclassified",
	"reception-offers-the-voicemail":      "unclassified",
	"menu-alone":                          "unclassified",
	"no-answer":                           "no_answer",
	"no-answer-as-failed":                 "no_answer",
	"no-answer-with-talk":                 "unclassified",
	"no-answer-duration-as-text":          "unclassified",
	"busy":                                "busy",
	"declined-after-ten-seconds":          "declined",
	"declined-at-once":                    "unclassified",
	"declined-at-once-by-callee":          "unclassified",
	"declined-equal-start-and-end":        "unclassified",
	"invalid-number":                      "invalid_number",
	"blocked-as-spam":                     "blocked",
	"cancelled":                           "cancelled",
	"provider-failed":                     "provider_failed",
	"provider-never-dialled":              "provider_failed",
	"never-dialled-and-talked":            "unclassified",
	"provider-failed-without-a-reason":    "provider_failed",
	"no-answer-refused-before-ringing":    "blocked",
	"no-answer-and-refused-in-one-word":   "unclassified",
	"stuck-ringing":                       "unclassified",
	"stuck-for-days":                      "unclassified",
	"late-ringing-after-the-end":          "unclassified",
	"status-never-seen":                   "unclassified",
	"status-missing":                      "unclassified",
	"status-of-another-type":              "unclassified",
	"fields-of-other-types":               "unclassified",
	"outcomes-as-json-text":               "reached",
	"outcomes-contradict-themselves":      "reached",
	"dates-of-all-kinds":                  "reached",
}

// recorded returns the call objects of testdata/calls by name.
func recorded(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	files, err := filepath.Glob("testdata/calls/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d recorded calls, %v", len(files), err)
	}
	calls := map[string]json.RawMessage{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		calls[strings.TrimSuffix(filepath.Base(file), ".json")] = data
	}
	return calls
}

// TestRecordedCalls compares each report with testdata/reports, and its class with the
// table above, which no -update changes.
func TestRecordedCalls(t *testing.T) {
	t.Parallel()
	calls := recorded(t)
	if len(calls) != len(classes) {
		t.Errorf("%d recorded calls, %d classes", len(calls), len(classes))
	}
	for name, raw := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := outcome.Default().Evaluate(raw)
			if report.Class != classes[name] {
				t.Errorf("class %q, want %q: %s", report.Class, classes[name], testkit.JSON(t, report))
			}
			testkit.Golden(t, "testdata/reports/"+name+".json", testkit.JSON(t, report))
		})
	}
}

// TestABareCompletedIsUnclassified takes from every recorded call what says who answered,
// and leaves "completed", its duration, its times and its finished task.
func TestABareCompletedIsUnclassified(t *testing.T) {
	t.Parallel()
	for name, raw := range recorded(t) {
		for _, status := range []string{"completed", "Completed", "COMPLETE", "ended", " finished "} {
			var call map[string]any
			if err := json.Unmarshal(raw, &call); err != nil {
				t.Fatal(err)
			}
			call["call_status"], call["call_duration"], call["agent_task_status"] = status, 82, "completed"
			for _, field := range []string{"transcript", "transcript_object", "agent_post_call_outcomes", "disconnect_reason"} {
				delete(call, field)
			}
			report := outcome.Default().Evaluate([]byte(testkit.JSON(t, call)))
			if report.Class != outcome.Unclassified || !report.Final() {
				t.Errorf("%s as %q: %s", name, status, testkit.JSON(t, report))
			}
		}
	}
}

// TestNoRuleLowersAFloor gives every recorded call every class by a rule that always holds.
func TestNoRuleLowersAFloor(t *testing.T) {
	t.Parallel()
	for _, class := range outcome.Classes() {
		rules, err := outcome.Parse("outcomes.yaml", []byte("rules: [{when: \"true\", class: "+string(class)+"}]\n"))
		if class == outcome.Unresolved {
			if err == nil {
				t.Error("a rule may give unresolved")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, raw := range recorded(t) {
			report := rules.Evaluate(raw)
			if why := broken(t, raw, report); why != "" {
				t.Errorf("%s as %s: %s: %s", name, class, why, testkit.JSON(t, report))
			}
		}
	}
}

// broken returns which floor a report is below, read from the call object in another way
// than the package reads it.
func broken(t testing.TB, raw json.RawMessage, report outcome.Report) string {
	t.Helper()
	var call struct {
		Status     any `json:"call_status"`
		Reason     any `json:"disconnect_reason"`
		Duration   any `json:"call_duration"`
		Transcript any `json:"transcript"`
		Object     any `json:"transcript_object"`
		Outcomes   any `json:"agent_post_call_outcomes"`
	}
	if json.Unmarshal(raw, &call) != nil {
		if report.Class != outcome.Unclassified || report.Final() {
			return "an object that cannot be read has a class or is final"
		}
		return ""
	}
	nothing := func(values ...any) bool {
		return !slices.ContainsFunc(values, func(v any) bool {
			text, _ := v.(string)
			list, _ := v.([]any)
			members, _ := v.(map[string]any)
			isOther := v == true || v == false
			if _, is := v.(float64); is {
				isOther = true
			}
			return strings.TrimSpace(text) != "" || len(list)+len(members) > 0 || isOther
		})
	}
	silent := nothing(call.Transcript, call.Object, call.Outcomes)
	status, _ := call.Status.(string)
	completed := strings.EqualFold(strings.TrimSpace(status), "completed")
	switch {
	case !slices.Contains(outcome.Classes(), report.Class) || report.Class == outcome.Unresolved:
		return "a class that is not of the set"
	case report.Final() && !report.Status.Known:
		return "a status that is not known is final"
	case !report.Final() && report.Class != outcome.Unclassified:
		return "an open call has a class"
	case report.Class == outcome.Reached && silent:
		return "reached without a turn or an outcome"
	case silent && report.Class == outcome.Voicemail && nothing(call.Reason) && !strings.Contains(strings.ToLower(status), "mail"):
		return "a voicemail that nothing speaks for"
	case report.Class == outcome.Declined && silent && (call.Duration == nil || call.Duration == 0.0):
		return "declined without talk time or a word"
	case completed && silent && nothing(call.Reason) && report.Class != outcome.Unclassified:
		return "a bare completed has a class"
	}
	return ""
}

func FuzzEvaluate(f *testing.F) {
	for _, raw := range recorded(f) {
		f.Add([]byte(raw), "reached")
	}
	for _, hostile := range []string{
		``, `null`, `[]`, `"completed"`, `{`, `{}{}`, `{"call_status":"completed"} x`, `{"call_duration":1e999}`,
		`{"call_status":"completed","transcript":"User:"}`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
	} {
		f.Add([]byte(hostile), "voicemail")
	}
	f.Fuzz(func(t *testing.T, raw []byte, class string) {
		if why := broken(t, raw, outcome.Default().Evaluate(raw)); why != "" {
			t.Error(why)
		}
		if !slices.Contains(outcome.Classes(), outcome.Class(class)) || class == string(outcome.Unresolved) {
			return
		}
		rules, err := outcome.Parse("outcomes.yaml", []byte("rules: [{when: \"true\", class: "+class+"}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if why := broken(t, raw, rules.Evaluate(raw)); why != "" {
			t.Errorf("as %s: %s", class, why)
		}
	})
}

func TestObjectsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, raw, want string }{
		{"nothing", ``, "the call is not a JSON object"},
		{"null", `null`, "the call is not a JSON object"},
		{"a list", `[{"call_status":"completed"}]`, "the call is not a JSON object"},
		{"half of one", `{"call_status":"comp`, "the call is not a JSON object"},
		{"a page", `<html>It works!</html>`, "the call is not a JSON object"},
		{"two", `{"call_status":"completed"}{}`, "the call is more than one JSON object"},
		{"deep", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "the call object cannot be read: nested too deeply"},
		{"infinite", `{"call_duration":1e999}`, "the call object cannot be read: a number that other readers refuse"},
		{"huge", `{"transcript":"` + strings.Repeat("x", 1<<20) + `"}`, "the call object is larger than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report := outcome.Default().Evaluate([]byte(c.raw))
			if report.Problem != c.want || report.Class != outcome.Unclassified || report.Final() || report.OptOut.Answer != outcome.Unclear {
				t.Errorf("%s", testkit.JSON(t, report))
			}
		})
	}
}

func TestAnalysisSettlesAfterTwoEqualLooksOrFiveMinutes(t *testing.T) {
	t.Parallel()
	calls := recorded(t)
	report := func(name string) outcome.Report { return outcome.Default().Evaluate(calls[name]) }
	bare, reached, open := report("bare-completed"), report("reached"), report("stuck-for-days")
	other := report("reached-callback")
	for _, c := range []struct {
		name        string
		before, now outcome.Report
		since       time.Duration
		want        bool
	}{
		{"first look", outcome.Report{}, reached, 0, false},
		{"two equal looks", reached, reached, time.Minute, true},
		{"two different looks", reached, other, time.Minute, false},
		{"two looks without an analysis", bare, bare, 4 * time.Minute, false},
		{"no analysis after five minutes", bare, bare, 5 * time.Minute, true},
		{"different looks after five minutes", bare, reached, 5 * time.Minute, true},
		{"open", open, open, time.Hour, false},
	} {
		if got := outcome.Settled(c.before, c.now, c.since); got != c.want {
			t.Errorf("%s: settled %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAnAbandonedCallIsUnresolved(t *testing.T) {
	t.Parallel()
	last := outcome.Default().Evaluate(recorded(t)["stuck-for-days"])
	report := outcome.Abandon(last, "no end was seen within 4h0m0s")
	if report.Class != outcome.Unresolved || report.Status.Answer != "in_progress" || report.Floor == "" {
		t.Errorf("%s", testkit.JSON(t, report))
	}
}

// TestLargeObjectsTakeTimeInProportion reads objects of almost 1 MiB whose transcripts
// are as bad as they can be. A slip into the square of the size would take hours.
func TestLargeObjectsTakeTimeInProportion(t *testing.T) {
	t.Parallel()
	const size = 1<<20 - 200
	for name, part := range map[string]string{
		"short lines": "a\n", "turns": "User: a\n", "blocks": "User: a\nAgent: b\n", "brackets": "[({*", "spaces": "  ", "colons": "a:", "accents": "ä́",
	} {
		transcript := strings.Repeat(part, size/2/len(part))
		object, err := json.Marshal(map[string]any{"call_status": "completed", "transcript": transcript})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		report := outcome.Default().Evaluate(object)
		if took := time.Since(start); report.Problem != "" || took > time.Minute {
			t.Errorf("%s: %q after %s", name, report.Problem, took)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, name := range []string{"reached", "no-answer"} {
		raw := recorded(b)[name]
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				outcome.Default().Evaluate(raw)
			}
		})
	}
}
