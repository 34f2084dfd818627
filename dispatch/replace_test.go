package dispatch

import (
	"callbridge/dispatch/fit"
	"callbridge/dispatch/record"
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
		found    record.State
		attempt  int
		replaced []record.State
	}{
		{record.Unknown, same, []record.State{record.Accepted, record.Unknown, record.Free, record.Rejected, record.Failed}},
		{record.Free, same, []record.State{record.Accepted, record.Unknown}},
		{record.Unknown, later, []record.State{record.Accepted}},
		{record.Free, later, []record.State{record.Accepted}},
		{record.Claimed, later, []record.State{record.Accepted}},
		{record.Unreadable, same, []record.State{record.Accepted, record.Unknown}},
		{record.Unreadable, 0, []record.State{record.Accepted, record.Unknown}},
		{record.Accepted, same, nil}, {record.Accepted, later, nil}, {record.Parked, same, nil}, {record.Failed, same, nil}, {record.Skipped, same, nil}, {record.Rejected, later, nil},
	} {
		replaced := map[record.State]bool{}
		for _, s := range c.replaced {
			replaced[s] = true
		}
		for _, answer := range []record.State{record.Accepted, record.Unknown, record.Free, record.Rejected, record.Failed} {
			found := entry{Record: record.Record{State: c.found, Attempt: c.attempt}, revision: 7}
			claim := entry{Record: record.Record{State: record.Claimed, Attempt: same}, revision: 6}
			if got := replaces(record.Record{State: answer, Attempt: same}, found, claim); got != replaced[answer] {
				t.Errorf("%s over %s of attempt %d: %t, want %t", answer, c.found, c.attempt, got, replaced[answer])
			}
		}
	}
	if !replaces(record.Record{State: record.Free}, entry{}, entry{}) {
		t.Error("an answer is not recorded in an empty ledger")
	}
}

// TestShortenEnds: an answer that is all id, or all detail, is not shortened for ever.
func TestShortenEnds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, r := range map[string]record.Record{
		"all id":     {Call: json.RawMessage(`{"id":"` + long + `"}`), Detail: long},
		"an answer":  {Call: json.RawMessage(`{"id":"7","transcript":"` + long + `"}`)},
		"no answer":  {Call: json.RawMessage(`[]`), Detail: long},
		"all detail": {Detail: long},
	} {
		steps := 0
		for ; steps < 10 && fit.Shorten(&r); steps++ {
		}
		if data, err := json.Marshal(r); err != nil || steps == 0 || steps == 10 || len(data) > 4096 {
			t.Errorf("%s: %d bytes after %d steps: %v", name, len(data), steps, err)
		}
	}
}
