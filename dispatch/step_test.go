package dispatch

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/dispatch/search"
	"callbridge/event"
)

func TestEveryStateIsOpenOrHasAnOutcome(t *testing.T) {
	t.Parallel()
	for state := range steps {
		_, final := outcomes[state]
		if open := state == none || slices.Contains(openStates, state); open == final {
			t.Errorf("state %q: open %t, final %t", state, open, final)
		}
	}
	if want := 1 + len(openStates) + len(outcomes); len(steps) != want {
		t.Errorf("%d states have a step, want %d", len(steps), want)
	}
}

// TestRecordKeepsItsForm: processes of other versions read the same ledger.
func TestRecordKeepsItsForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 30, 0, 120_000_000, time.UTC)
	for want, record := range map[string]Record{
		`{"state":"claimed","attempt":1,"owner":"a","nonce":"n","claimed":"2026-11-23T09:30:00.12Z"}`: {
			State: Claimed, Attempt: 1, Owner: "a", Nonce: "n", Claimed: at,
		},
		`{"state":"free","attempt":0,"owner":"","nonce":"","not_before":"2026-11-23T09:30:00.12Z","reason":"invalid","detail":"é \"1\""}`: {
			State: Free, NotBefore: at, Reason: "invalid", Detail: `é "1"`,
		},
		`{"state":"accepted","attempt":2,"owner":"","nonce":"","call":{}}`: {
			State: Accepted, Attempt: 2, Call: json.RawMessage(`{}`),
		},
		`{"state":"accepted","attempt":2,"owner":"","nonce":"","call":{"id":"a","n":9007199254740993,"b":"\ud800","b":[]}}`: {
			State: Accepted, Attempt: 2, Call: json.RawMessage(`{"id": "a", "n": 9007199254740993, "b": "\ud800", "b": []}`),
		},
	} {
		got, err := event.Marshal(record)
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
		if old, err := json.Marshal(record); err != nil || string(old) != want {
			t.Errorf("encoding/json writes %s, %v\nwant %s", old, err, want)
		}
		var read Record
		if err := event.Unmarshal(got, &read); err != nil {
			t.Error(err)
		}
		if again, err := event.Marshal(read); err != nil || string(again) != want {
			t.Errorf("read and written again: %s, %v\nwant %s", again, err, want)
		}
	}
}

func TestResolveDecidesAnUnknownCall(t *testing.T) {
	t.Parallel()
	const settle, attempts = time.Minute, 3
	call := json.RawMessage(`{"id":"a"}`)
	unreadable := errors.New("HTTP 500")
	for name, c := range map[string]struct {
		found   search.Found
		age     time.Duration
		attempt int
		redial  bool
		want    State
		reason  event.Reason
		detail  string
		wait    time.Duration
	}{
		"found":                        {found: search.Found{Call: call}, age: time.Second, want: Accepted, reason: event.ReasonFound},
		"found after a long time":      {found: search.Found{Call: call}, age: 48 * time.Hour, want: Accepted, reason: event.ReasonFound},
		"missing before settle":        {age: 10 * time.Second, want: Unknown, wait: 10 * time.Second},
		"missing shortly before":       {age: 50 * time.Second, redial: true, want: Unknown, wait: 10 * time.Second},
		"missing":                      {age: settle, want: Parked, reason: event.ReasonNotFound, detail: "timeout; not in Callab's list"},
		"missing, redial":              {age: settle, redial: true, want: Free},
		"missing on the last attempt":  {age: settle, redial: true, attempt: attempts, want: Parked, reason: event.ReasonNotFound, detail: "timeout; not in"},
		"similar, redial":              {found: search.Found{Similar: 2}, age: settle, redial: true, want: Parked, reason: event.ReasonNotFound, detail: "2 call(s)"},
		"unreadable":                   {found: search.Found{Err: unreadable}, age: settle, redial: true, want: Unknown, wait: settle},
		"unreadable for hours":         {found: search.Found{Err: unreadable}, age: 9 * time.Hour, redial: true, want: Unknown, wait: maxSearchInterval},
		"unreadable for a day":         {found: search.Found{Err: unreadable}, age: maxUnknown, want: Parked, reason: event.ReasonNotFound, detail: "could not be read for 24h0m0s: HTTP 500"},
		"unreadable for a day, redial": {found: search.Found{Err: unreadable}, age: maxUnknown, redial: true, want: Parked, reason: event.ReasonNotFound, detail: "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := Record{State: Unknown, Attempt: max(c.attempt, 1), Detail: "timeout", NotBefore: time.Unix(1, 0)}
			got, wait := resolve(record, c.age, c.found, Config{Settle: settle, Attempts: attempts, Redial: c.redial})
			if got.State != c.want || got.Reason != c.reason || wait != c.wait || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("became %s (%s: %s) after %s, want %s (%s: %s) after %s", got.State, got.Reason, got.Detail, wait, c.want, c.reason, c.detail, c.wait)
			}
			if got.State == Accepted && string(got.Call) != string(call) {
				t.Errorf("call %s, want %s", got.Call, call)
			}
			if got.State == Free && !got.NotBefore.IsZero() {
				t.Error("a redial waits for an earlier back-off")
			}
		})
	}
}
