package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/event"
)

func TestIdentitiesNeverChange(t *testing.T) {
	t.Parallel()
	// Written down: a change would let every event of the past in again.
	id := event.EventID("website", "lead-1001")
	request := event.RequestID(id, "new-lead")
	for name, c := range map[string]struct{ got, want string }{
		"event":   {id.String(), "d90b7ebe-784c-51d7-97df-83239ce29ad0"},
		"request": {request.String(), "8b2c1d38-5174-59d8-a709-898b96e21d44"},
		"result":  {event.ResultID(request, event.Accepted).String(), "9ae7e113-f765-5e21-b7f0-b97c2889c0e5"},
	} {
		if c.got != c.want {
			t.Errorf("%s id = %s, want %s", name, c.got, c.want)
		}
	}
}

func TestIdentitiesDiffer(t *testing.T) {
	t.Parallel()
	id := event.EventID("a", "b/c")
	if id == event.EventID("a-b", "c") || id == event.EventID("a", "b") {
		t.Error("two events share an id")
	}
	if event.RequestID(id, "") == event.RequestID(id, "x") {
		t.Error("two routes share a request id")
	}
}

func TestPhoneMasksItselfHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	const number = "+12025550142"
	phone := event.Phone(number)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "to", phone, "in", struct{ P event.Phone }{phone})
	text, err := json.Marshal(map[string]any{"p": phone})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		phone.String(), fmt.Sprint(phone), fmt.Sprintf("%s %q %v %#v %x %d", phone, phone, phone, phone, phone, phone),
		fmt.Sprintf("%+v", struct{ P event.Phone }{phone}), log.String(), string(text),
	} {
		if strings.Contains(shown, "02555501") || strings.Contains(shown, "3032") {
			t.Errorf("%q shows the number", shown)
		}
	}
	if phone.Reveal() != number {
		t.Errorf("Reveal() = %q", phone.Reveal())
	}
	if phone.String() != "+12•••••••42" {
		t.Errorf("String() = %q", phone.String())
	}
}

func TestRedactMasksNumbersAndNothingElse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"cannot call +12025550142 now":         "cannot call +12•••••••42 now",
		"(202) 555-0142 is busy":               "20••••••42 is busy",
		"call 6f1f8f0e-5f57-4c0e-9d0a-11 gone": "call 6f1f8f0e-5f57-4c0e-9d0a-11 gone",
		"HTTP 503 after 15s":                   "HTTP 503 after 15s",
		"":                                     "",
	} {
		if got := event.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestResultIsACloudEvent(t *testing.T) {
	t.Parallel()
	id := event.RequestID(event.EventID("website", "lead-1001"), "new-lead")
	at := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	sent := event.Result{
		RequestID: id, Outcome: event.Accepted, Reason: event.ReasonCreated, Route: "new-lead", Attempts: 1, Time: at,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Call:        json.RawMessage(`{"id":"c-1","of_tomorrow":12345678901234567890}`),
		Event:       event.Event{Source: "website", Key: "lead-1001", Data: json.RawMessage(`{"id":9007199254740993}`)},
	}
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var attributes map[string]any
	if err := json.Unmarshal(text, &attributes); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"specversion": "1.0", "type": "callbridge.result.accepted", "source": "/callbridge/website",
		"subject": id.String(), "id": event.ResultID(id, event.Accepted).String(), "time": "2026-11-23T09:30:00Z",
		"datacontenttype": "application/json", "traceparent": sent.TraceParent,
	} {
		if attributes[name] != want {
			t.Errorf("attribute %s = %v, want %s", name, attributes[name], want)
		}
	}
	for _, exact := range []string{"12345678901234567890", "9007199254740993"} {
		if !bytes.Contains(text, []byte(exact)) {
			t.Errorf("the digits of %s are gone", exact)
		}
	}
	var read event.Result
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("read and written again:\n%s\nwant\n%s (%v)", again, text, err)
	}
}

func TestValidSource(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"website": true, "gohighlevel-workflow": true, "a1": true, strings.Repeat("a", 40): true,
		"": false, "Website": false, "a.b": false, "a b": false, "a*": false, ">": false, strings.Repeat("a", 41): false,
	} {
		if got := event.ValidSource(name); got != want {
			t.Errorf("ValidSource(%q) = %t, want %t", name, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("cannot call +1 (202) 555-0142 now")
	f.Add("id 6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11")
	f.Fuzz(func(t *testing.T, text string) {
		// A number that stands alone never survives.
		const number = "+442079460123"
		if strings.Contains(event.Redact(text+" "+number+" "+text), number) {
			t.Errorf("the number is still in it: %q", text)
		}
	})
}

func TestAppendID(t *testing.T) {
	t.Parallel()
	for _, id := range []uuid.UUID{{}, uuid.Max, uuid.New(), event.EventID("website", "lead-1")} {
		if got, want := string(event.AppendID([]byte("id="), id)), "id="+id.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestNamed: ids are those of the library, whatever the names.
func TestNamed(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "a", "lead-1001", "Zoë/4", strings.Repeat("long ", 200)} {
		id := event.EventID("website", key)
		for what, ids := range map[string][2]uuid.UUID{
			"event":   {id, uuid.NewSHA1(uuid.MustParse("600ae339-0626-55f0-9016-4dad758eb9ba"), []byte("website/"+key))},
			"request": {event.RequestID(id, key), uuid.NewSHA1(id, []byte(key))},
			"result":  {event.ResultID(id, event.Outcome(key)), uuid.NewSHA1(id, []byte(key))},
		} {
			if ids[0] != ids[1] {
				t.Errorf("%s of %.20q: %s, want %s", what, key, ids[0], ids[1])
			}
		}
	}
}
