package dispatch

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/dispatch/record"
	"callbridge/dispatch/search"
	"callbridge/event"
)

func TestEveryStateHasAStep(t *testing.T) {
	t.Parallel()
	for state := range steps {
		if state != record.None && !slices.Contains(record.States(), state) {
			t.Errorf("state %q is in no record", state)
		}
	}
	if want := 1 + len(record.States()); len(steps) != want {
		t.Errorf("%d states have a step, want %d", len(steps), want)
	}
}

func TestResolveDecidesAnUnknownCall(t *testing.T) {
	t.Parallel()
	const settle, attempts = time.Minute, 3
	call := json.RawMessage(`{"id":"a"}`)
	noAnswer := errors.New("HTTP 500")
	for name, c := range map[string]struct {
		found   search.Found
		age     time.Duration
		attempt int
		redial  bool
		want    record.State
		reason  event.Reason
		detail  string
		wait    time.Duration
	}{
		"found":                        {found: search.Found{Call: call}, age: time.Second, want: record.Accepted, reason: event.ReasonFound},
		"found after a long time":      {found: search.Found{Call: call}, age: 48 * time.Hour, want: record.Accepted, reason: event.ReasonFound},
		"missing before settle":        {age: 10 * time.Second, want: record.Unknown, wait: 10 * time.Second},
		"missing shortly before":       {age: 50 * time.Second, redial: true, want: record.Unknown, wait: 10 * time.Second},
		"missing":                      {age: settle, want: record.Parked, reason: event.ReasonNotFound, detail: "timeout; not in Callab's list"},
		"missing, redial":              {age: settle, redial: true, want: record.Free},
		"missing on the last attempt":  {age: settle, redial: true, attempt: attempts, want: record.Parked, reason: event.ReasonNotFound, detail: "timeout; not in"},
		"similar, redial":              {found: search.Found{Similar: 2}, age: settle, redial: true, want: record.Parked, reason: event.ReasonNotFound, detail: "2 call(s)"},
		"unreadable":                   {found: search.Found{Err: noAnswer}, age: settle, redial: true, want: record.Unknown, wait: settle},
		"unreadable for hours":         {found: search.Found{Err: noAnswer}, age: 9 * time.Hour, redial: true, want: record.Unknown, wait: maxSearchInterval},
		"unreadable for a day":         {found: search.Found{Err: noAnswer}, age: maxUnknown, want: record.Parked, reason: event.ReasonNotFound, detail: "could not be read for 24h0m0s: HTTP 500"},
		"unreadable for a day, redial": {found: search.Found{Err: noAnswer}, age: maxUnknown, redial: true, want: record.Parked, reason: event.ReasonNotFound, detail: "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := record.Record{State: record.Unknown, Attempt: max(c.attempt, 1), Detail: "timeout", NotBefore: time.Unix(1, 0)}
			got, wait := resolve(before, c.age, c.found, Config{Settle: settle, Attempts: attempts, Redial: c.redial})
			if got.State != c.want || got.Reason != c.reason || wait != c.wait || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("became %s (%s: %s) after %s, want %s (%s: %s) after %s", got.State, got.Reason, got.Detail, wait, c.want, c.reason, c.detail, c.wait)
			}
			if got.State == record.Accepted && string(got.Call) != string(call) {
				t.Errorf("call %s, want %s", got.Call, call)
			}
			if got.State == record.Free && !got.NotBefore.IsZero() {
				t.Error("a redial waits for an earlier back-off")
			}
		})
	}
}
