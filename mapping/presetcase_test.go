package mapping_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callbridge/mapping"
)

// presetCase is one delivery in testdata/sources/<preset>: a body, beside it
// headers and what the CRM's API answers to a look-up.
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
