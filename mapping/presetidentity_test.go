package mapping_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"callbridge/mapping"
	"callbridge/signature"
)

func TestPresetsKnowARetryForWhatItIs(t *testing.T) {
	t.Parallel()
	counters := strings.NewReplacer(`"attemptNumber": 0`, `"attemptNumber": 3`, `"attempt": 1`, `"attempt": 2`,
		`"retry": 1`, `"retry": 2`, `"delivery_attempts": 1`, `"delivery_attempts": 2`)
	everyPreset(t, func(t *testing.T, source *mapping.Source, s sender, c presetCase) {
		header := c.header.Clone()
		header.Set("User-Agent", "another instance")
		first, err := source.Receive(s.send(t, c.body, c.header, received))
		if err != nil {
			t.Fatal(err)
		}
		d := s.send(t, counters.Replace(c.body), header, received.Add(time.Minute))
		if id := "Webhook-Id"; s.preset == "standard-webhooks" { // made of the body here, and the same for a retry
			d.Header.Set(id, s.send(t, c.body, c.header, received).Header.Get(id))
		}
		again, err := source.Read(d)
		if err != nil || len(again) != len(first) {
			t.Fatal(err)
		}
		for i := range first {
			if first[i].Err == nil && first[i].Event.ID != again[i].Event.ID {
				t.Errorf("event %d: %s is not %s", i, again[i].Event.Key, first[i].Event.Key)
			}
		}
	})
}

func TestPresetsTellTheEventsOfABatchApart(t *testing.T) {
	t.Parallel()
	for _, c := range presetCases(t) {
		_, source := loadPreset(t, c.preset)
		events, err := source.Receive(newSender(t, c.preset, presetSecret(c.preset, "SECRET")).send(t, c.body, c.header, received))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, in := range events {
			if seen[in.Event.Key] {
				t.Errorf("%s/%s: two events are %s", c.preset, c.name, in.Event.Key)
			}
			seen[in.Event.Key] = true
		}
	}
}

func TestNoSecretOfADeliveryIsKept(t *testing.T) {
	t.Parallel()
	for _, c := range presetCases(t) {
		_, source := loadPreset(t, c.preset)
		events, err := source.Receive(newSender(t, c.preset, presetSecret(c.preset, "SECRET")).send(t, c.body, c.header, received))
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range events {
			for _, secret := range []string{"open sesame", "not to be kept", "not+to+be+kept", "must go nowhere"} {
				if strings.Contains(string(in.Event.Data), secret) {
					t.Errorf("%s/%s keeps %q", c.preset, c.name, secret)
				}
			}
		}
	}
}

func TestTheKeyOfHighLevelIsTheOneThatCounts(t *testing.T) {
	t.Parallel()
	config, err := mapping.Parse("callbridge.yaml", []byte(`sources: {crm: {preset: gohighlevel, secret: "${SECRET}"}}`), mapping.Options{
		LookupEnv: func(string) (string, bool) { return "open sesame", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := config.Source("crm")
	d := newSender(t, "gohighlevel", "open sesame").send(t, `{"type":"ContactCreate"}`, http.Header{"Content-Type": {"application/json"}}, received)
	refused(t, source, d, signature.ReasonMismatch)
}
