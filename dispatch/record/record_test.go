package record

import (
	"encoding/json"
	"testing"
	"time"

	"callbridge/event"
)

// TestEveryOutcomeHasOneState: an outcome that was lost in the ledger is taken from a result.
func TestEveryOutcomeHasOneState(t *testing.T) {
	t.Parallel()
	for _, s := range States() {
		if s.IsFinal() != (Of(s.Outcome()) == s) {
			t.Errorf("state %q: outcome %q, and back %q", s, s.Outcome(), Of(s.Outcome()))
		}
	}
}

// TestRecordKeepsItsForm: processes of other versions read the same ledger.
func TestRecordKeepsItsForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 30, 0, 120_000_000, time.UTC)
	for want, r := range map[string]Record{
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
		got, err := event.Marshal(r)
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
		if old, err := json.Marshal(r); err != nil || string(old) != want {
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
