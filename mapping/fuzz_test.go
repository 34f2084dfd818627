package mapping_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/sources"
)

// sealed finds every variable and no file: a fuzzed configuration must not
// read this machine.
func sealed() mapping.Options {
	return mapping.Options{
		LookupEnv: func(string) (string, bool) { return "open sesame", true },
		ReadFile:  func(string) ([]byte, error) { return nil, fs.ErrNotExist },
	}
}

var dialable = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// checkDecisions holds every decision to what a call must have.
func checkDecisions(t *testing.T, in mapping.Incoming, decisions []mapping.Decision) {
	t.Helper()
	if len(decisions) == 0 {
		t.Fatal("no decision")
	}
	for _, d := range decisions {
		if (d.Request == nil) == (d.Result == nil) {
			t.Fatalf("neither a request nor a result: %+v", d)
		}
		if d.Result != nil {
			skipped, ofRequest := d.Result.Outcome == event.Skipped, d.Result.RequestID == event.RequestID(in.Event.ID, d.Route)
			if d.Result.Reason == "" || skipped != ofRequest {
				t.Fatalf("result %+v", d.Result)
			}
			if d.Result.Outcome == event.Rejected && d.Result.Request != nil {
				t.Fatalf("a rejected event has a call: %s", d.Result.Request)
			}
			continue
		}
		checkCall(t, d)
	}
}

func checkCall(t *testing.T, d mapping.Decision) {
	t.Helper()
	var call struct {
		To        string            `json:"call_to"`
		From      *string           `json:"call_from"`
		Metadata  map[string]any    `json:"metadata"`
		Variables map[string]string `json:"agent_dynamic_variables"`
	}
	if err := json.Unmarshal(d.Request.Call, &call); err != nil {
		t.Fatalf("%s: %v", d.Request.Call, err)
	}
	if !dialable.MatchString(call.To) || call.To != d.To.Reveal() || call.From != nil && !dialable.MatchString(*call.From) {
		t.Fatalf("numbers of %s", d.Request.Call)
	}
	if call.Metadata["callbridge_request_id"] != d.Request.ID.String() {
		t.Fatalf("no request id in %s", d.Request.Call)
	}
	for name, text := range call.Variables {
		if strings.TrimSpace(text) == "" || strings.ContainsAny(text, "\r\n\x00") ||
			strings.Contains(text, "{{") || strings.Contains(text, "{%") || len([]rune(text)) > 500 {
			t.Fatalf("variable %s is %q", name, text)
		}
	}
}

// FuzzPayload maps any body with the configurations of the golden cases.
func FuzzPayload(f *testing.F) {
	var configs []*mapping.Config
	files, _ := filepath.Glob("testdata/*/callbridge.yaml")
	for _, file := range files {
		config, err := mapping.Load(file, withSecret())
		if err != nil {
			f.Fatal(err)
		}
		configs = append(configs, config.WithMode(mapping.Live))
	}
	payloads, _ := filepath.Glob("testdata/*/payload.*")
	for i, file := range payloads {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, contentTypes[filepath.Ext(file)], string(body))
	}
	f.Fuzz(func(t *testing.T, n int, contentType, body string) {
		config := configs[uint(n)%uint(len(configs))]
		for _, source := range config.Sources() {
			events, err := source.Read(delivery(body, "Content-Type", contentType))
			if err != nil {
				continue
			}
			for _, in := range events {
				checkDecisions(t, in, config.Map(in))
				if _, err := json.Marshal(config.Explain(in)); err != nil {
					t.Fatalf("explain: %v", err)
				}
			}
		}
	})
}

// FuzzConfig loads any configuration; what loads must map.
func FuzzConfig(f *testing.F) {
	f.Add(valid, `{"id": 1, "phone": "+12025550142", "score": 60}`)
	f.Add(explainConfig, `{"id": 1, "phone": "+12025550142", "score": 60, "vip": "yes"}`)
	for _, c := range problemCases {
		f.Add(strings.Replace(valid, c.old, c.new, 1), `{"id": 1, "phone": "+12025550142", "score": 60}`)
	}
	files, _ := filepath.Glob("testdata/*/callbridge.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		payload, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "payload.json"))
		f.Add(string(text), string(payload))
	}
	f.Fuzz(func(t *testing.T, text, body string) {
		config, err := mapping.Parse("callbridge.yaml", []byte(text), sealed())
		if err != nil {
			checkProblems(t, text, err)
			return
		}
		for _, source := range config.Sources() {
			events, err := source.Read(delivery(body))
			if err != nil {
				continue
			}
			for _, in := range events {
				checkDecisions(t, in, config.Map(in))
			}
		}
	})
}

func checkProblems(t *testing.T, text string, err error) {
	t.Helper()
	var problems mapping.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("got %v, want problems", err)
	}
	lines := strings.Count(text, "\n") + 2
	for _, p := range problems {
		ours := p.File == "callbridge.yaml"
		if p.Text == "" || ours && (p.Line < 0 || p.Line > lines || p.Line > 0 && p.Column < 1) {
			t.Fatalf("problem %+v", p)
		}
	}
}

// FuzzPresetsReadAnything has every preset read the same delivery: each event
// that comes out has a name, and a payload that JSON readers take.
func FuzzPresetsReadAnything(f *testing.F) {
	for _, c := range presetCases(f) {
		f.Add(c.body, c.header.Get("Content-Type"), "Ce-Id", "a%20b", "token=x")
	}
	var configs []*mapping.Config
	for _, preset := range sources.Names() {
		config, _ := loadPreset(f, preset)
		configs = append(configs, config)
	}
	f.Fuzz(func(t *testing.T, body, contentType, header, value, query string) {
		d := delivery(body, "Content-Type", contentType)
		d.Header[http.CanonicalHeaderKey(header)] = []string{value}
		d.URL.RawQuery = query
		for _, config := range configs {
			source, _ := config.Source("crm")
			events, err := source.Read(d)
			if err != nil && events != nil {
				t.Fatalf("both events and %v", err)
			}
			for _, in := range events {
				if in.Event.Key == "" || in.Err == nil && !json.Valid(in.Event.Data) {
					t.Fatalf("event %q holds %q", in.Event.Key, in.Event.Data)
				}
				config.Lookup(in)
				if len(config.Map(in)) == 0 {
					t.Fatal("an event without an end")
				}
			}
		}
	})
}
