package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"callbridge/event"
)

func TestIdentitiesNeverChange(t *testing.T) {
	t.Parallel()
	// Recorded: with other ids every past event would count as new.
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
	// Without the time, whose digits can contain any four.
	untimed := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	slog.New(slog.NewJSONHandler(&log, untimed)).Info("x", "to", phone, "in", struct{ P event.Phone }{phone})
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

func TestE164(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	for _, text := range []string{
		"", "+", "+0", "+1", "+123456", "+1234567", "+12025550142", "+02025550142", "12025550142", "++2025550142", "+1202555014a",
		"+1202555/142", "+1202555:142", "+1202555 142", "+12025550142\n", "+1٢025550142", " +12025550142", "+" + strings.Repeat("1", 15), "+" + strings.Repeat("1", 16),
	} {
		if got := event.IsE164(text); got != form.MatchString(text) {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestCallToIsTheNumberOfTheCall(t *testing.T) {
	t.Parallel()
	const call = `{"call_to":"+12025550142"}`
	for _, c := range []struct {
		name string
		item event.Item
		want string
	}{
		{"a request", event.Item{Request: &event.Request{Call: []byte(call)}}, "+12025550142"},
		{"a dry run", event.Item{Result: &event.Result{Request: []byte(call)}}, "+12025550142"},
		{"a rejection", event.Item{Result: &event.Result{}}, ""},
		{"a pending event", event.Item{Pending: &event.Pending{}}, ""},
		{"nothing", event.Item{}, ""},
		{"no JSON", event.Item{Request: &event.Request{Call: []byte(`{`)}}, ""},
	} {
		if got := c.item.CallTo(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
