package mapping_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/mapping"
	"callbridge/mapping/sources"
	"callbridge/signature"
)

// presetParams are what a preset needs beside its secret, as its set-up says.
var presetParams = map[string]string{
	"pipedrive":   "{company: acme}",
	"zendesk":     "{subdomain: acme}",
	"dynamics365": "{org: acme, region: crm4, tenant: 11111111-2222-4333-8444-555555555555}",
}

// presetSecrets are secrets whose form matters.
var presetSecrets = map[string]string{
	"close":             "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c",
	"standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

const otherSecret = "the key of the other slot"

// presetConfig is a file with one source of the preset, and nothing but what
// the preset asks for.
func presetConfig(preset string) string {
	text := "public_url: https://bridge.example.com\nsources:\n  crm:\n    preset: " + preset + "\n"
	if preset == "generic" {
		text += "    verify: {kind: token, header: X-Api-Key}\n"
	}
	if preset == "gohighlevel" { // only HighLevel has the key to the preset's own
		public := base64.StdEncoding.EncodeToString(senderKey().Public().(ed25519.PublicKey))
		text += "    verify:\n      - {kind: publickey, alg: ed25519, header: X-GHL-Signature, encoding: base64, key_encoding: base64, keys: [\"" + public + "\"]}\n" +
			"      - {kind: token, query: token}\n"
	}
	if params, ok := presetParams[preset]; ok {
		text += "    params: " + params + "\n"
	}
	return text + "    secret: [\"${SECRET}\", \"${OTHER}\"]\nroutes:\n" +
		"  - {name: all, source: crm, mode: live, purpose: service, policy: {countries: [US, CA, GB, DE, FR, AU]}, call: {call_to: phone}}\n"
}

func presetSecret(preset, name string) string {
	switch {
	case name != "SECRET" && name != "OTHER":
		return "for a lookup"
	case name == "OTHER" && preset == "close":
		return "ff0000000000000000000000000000000000000000000000000000000000000a"
	case name == "OTHER" && preset == "standard-webhooks":
		return "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	case name == "OTHER":
		return otherSecret
	case presetSecrets[preset] != "":
		return presetSecrets[preset]
	}
	return "open sesame"
}

func loadPreset(t testing.TB, preset string) (*mapping.Config, *mapping.Source) {
	t.Helper()
	config, err := mapping.Parse("callbridge.yaml", []byte(presetConfig(preset)), mapping.Options{
		LookupEnv: func(name string) (string, bool) { return presetSecret(preset, name), true },
	})
	if err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	source, _ := config.Source("crm")
	return config, source
}

func TestEveryPresetLoadsWithItsSecretAlone(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.Names() {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			loadPreset(t, preset)
		})
	}
}

func TestEveryPresetSaysWhatItIsAndHowToSetItUp(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.All() {
		for _, part := range []string{"# " + preset.Name + ": ", "\n# Set up\n", "\n# Phone: ", "\n# Retries: "} {
			if !strings.Contains("\n"+preset.YAML, part) {
				t.Errorf("%s has no %q", preset.Name, part)
			}
		}
	}
}

func TestNoPresetLoadsWithoutItsSecret(t *testing.T) {
	t.Parallel()
	for _, preset := range sources.Names() {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			text := fmt.Sprintf("public_url: https://bridge.example.com\nsources: {crm: {preset: %s, params: {company: a, subdomain: a, org: a, region: crm, tenant: a}}}\nroutes: []\n", preset)
			_, err := mapping.Parse("callbridge.yaml", []byte(text), mapping.Options{
				LookupEnv: func(string) (string, bool) { return "x", true },
			})
			if err == nil {
				t.Error("it accepts unverified webhooks")
			}
		})
	}
}

// presetCase is one delivery in testdata/sources/<preset>: a body, beside it
// headers and what the CRM's API answers to a lookup.
type presetCase struct {
	preset, name, folder string
	body                 string
	header               http.Header
	answer               []byte
}

func presetCases(t testing.TB) []presetCase {
	t.Helper()
	var cases []presetCase
	for _, pattern := range []string{"*.json", "*.form", "*.xml"} {
		files, err := filepath.Glob("testdata/sources/*/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, ".want.json") && !strings.HasSuffix(file, ".answer.json") {
				cases = append(cases, readPresetCase(t, file))
			}
		}
	}
	slices.SortFunc(cases, func(a, b presetCase) int {
		return strings.Compare(a.preset+"/"+a.name, b.preset+"/"+b.name)
	})
	return cases
}

func readPresetCase(t testing.TB, file string) presetCase {
	t.Helper()
	c := presetCase{
		folder: filepath.Dir(file), preset: filepath.Base(filepath.Dir(file)),
		name:   strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)),
		header: http.Header{"Content-Type": {contentTypes[filepath.Ext(file)]}},
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.body = string(body)
	if headers, err := os.ReadFile(filepath.Join(c.folder, c.name+".headers")); err == nil {
		for line := range strings.Lines(string(headers)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			c.header.Set(name, value)
		}
	}
	c.answer, _ = os.ReadFile(filepath.Join(c.folder, c.name+".answer.json"))
	return c
}

// firstCase is the delivery that the tests of all presets are made of.
func firstCase(t testing.TB, preset string) presetCase {
	t.Helper()
	cases := presetCases(t)
	i := slices.IndexFunc(cases, func(c presetCase) bool { return c.preset == preset && c.name != "ping" })
	if i < 0 {
		t.Fatalf("testdata/sources has no delivery of %s", preset)
	}
	return cases[i]
}

// mappedEvent is what a preset makes of one event.
type mappedEvent struct {
	Key     string         `json:"key"`
	Type    string         `json:"type,omitempty"`
	Time    *time.Time     `json:"time,omitempty"`
	Lookup  string         `json:"lookup,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
	Outcome string         `json:"outcome"`
	Reason  string         `json:"reason,omitempty"`
	Detail  string         `json:"detail,omitempty"`
}

func TestPresetsReadWhatTheirCRMsSend(t *testing.T) {
	t.Parallel()
	for _, c := range presetCases(t) {
		t.Run(c.preset+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			golden(t, filepath.Join(c.folder, c.name+".want.json"), c.mapped(t))
		})
	}
}

// mapped is what comes of the case, signed as its CRM would.
func (c presetCase) mapped(t *testing.T) []mappedEvent {
	t.Helper()
	config, source := loadPreset(t, c.preset)
	sent := newSender(t, c.preset, presetSecret(c.preset, "SECRET")).send(t, c.body, c.header, received)
	events, err := source.Receive(sent)
	if err != nil {
		t.Fatal(err)
	}
	mapped := []mappedEvent{}
	for _, in := range events {
		mapped = append(mapped, mapEvent(t, config, in, c.answer))
	}
	return mapped
}

func mapEvent(t *testing.T, config *mapping.Config, in mapping.Incoming, answer []byte) mappedEvent {
	t.Helper()
	got := mappedEvent{Key: in.Event.Key, Type: in.Event.Type, Fields: map[string]any{}}
	if !in.Event.Time.IsZero() {
		moment := in.Event.Time.UTC()
		got.Time = &moment
	}
	if request, ok := config.Lookup(in); ok {
		got.Lookup = strings.TrimSpace(request.Method + " " + request.URL + " " + string(request.Body))
		if answer != nil {
			var err error
			if in, err = in.WithLookup(answer, "application/json"); err != nil {
				t.Fatal(err)
			}
		}
	}
	explained := config.Explain(in).Reveal()
	for _, field := range explained.Fields {
		if field.State == "there" && !slices.Contains([]string{"source", "key", "type", "time"}, field.Name) {
			got.Fields[field.Name] = field.Value
		}
	}
	decision := explained.Decisions[0]
	got.Outcome, got.Reason, got.Detail = decision.Outcome, string(decision.Reason), decision.Detail
	return got
}

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
