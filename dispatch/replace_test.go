package dispatch

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestWhatAnAnswerReplaces: an answer never makes a call free that another process may
// have placed, and Callab's acceptance ends every open request.
func TestWhatAnAnswerReplaces(t *testing.T) {
	t.Parallel()
	const same, later = 2, 3
	for _, c := range []struct {
		found    State
		attempt  int
		replaced []State
	}{
		{Unknown, same, []State{Accepted, Unknown, Free, Rejected, Failed}},
		{Free, same, []State{Accepted, Unknown}},
		{Unknown, later, []State{Accepted}},
		{Free, later, []State{Accepted}},
		{Claimed, later, []State{Accepted}},
		{unreadable, same, []State{Accepted, Unknown}},
		{unreadable, 0, []State{Accepted, Unknown}},
		{Accepted, same, nil}, {Accepted, later, nil}, {Parked, same, nil}, {Failed, same, nil}, {Skipped, same, nil}, {Rejected, later, nil},
	} {
		replaced := map[State]bool{}
		for _, s := range c.replaced {
			replaced[s] = true
		}
		for _, answer := range []State{Accepted, Unknown, Free, Rejected, Failed} {
			found := entry{Record: Record{State: c.found, Attempt: c.attempt}, revision: 7}
			claim := entry{Record: Record{State: Claimed, Attempt: same}, revision: 6}
			if got := replaces(Record{State: answer, Attempt: same}, found, claim); got != replaced[answer] {
				t.Errorf("%s over %s of attempt %d: %t, want %t", answer, c.found, c.attempt, got, replaced[answer])
			}
		}
	}
	if !replaces(Record{State: Free}, entry{}, entry{}) {
		t.Error("an answer is not recorded in an empty ledger")
	}
}

// TestShortenEnds: an answer that is all id, or all detail, is not shortened for ever.
func TestShortenEnds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, r := range map[string]Record{
		"all id":     {Call: json.RawMessage(`{"id":"` + long + `"}`), Detail: long},
		"an answer":  {Call: json.RawMessage(`{"id":"7","transcript":"` + long + `"}`)},
		"no answer":  {Call: json.RawMessage(`[]`), Detail: long},
		"all detail": {Detail: long},
	} {
		steps := 0
		for ; steps < 10 && shorten(&r); steps++ {
		}
		if data, err := json.Marshal(r); err != nil || steps == 0 || steps == 10 || len(data) > 4096 {
			t.Errorf("%s: %d bytes after %d steps: %v", name, len(data), steps, err)
		}
	}
}
