package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/mapping"
)

func TestSourcesListsEveryPreset(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "sources")
	if code != 0 {
		t.Fatal(errs)
	}
	for _, name := range mapping.PresetNames() {
		if !strings.Contains("\n"+out, "\n"+name+" ") {
			t.Errorf("%s is not listed:\n%s", name, out)
		}
	}
	code, out, errs = callbridge(t, "", "sources", "-o", "json")
	var facts []mapping.Facts
	if err := json.Unmarshal([]byte(out), &facts); err != nil || code != 0 || len(facts) != len(mapping.PresetNames()) {
		t.Errorf("as JSON: %d presets, exit code %d: %s (%v)", len(facts), code, errs, err)
	}
	if strings.Contains(out, `"verified": ""`) || strings.Contains(out, `"set_up": ""`) {
		t.Errorf("a preset does not say how it is verified or set up")
	}
}

func TestReadmeNamesEveryPresetAndASourceOfOnesOwn(t *testing.T) {
	t.Parallel()
	text := readme(t)
	for _, name := range mapping.PresetNames() {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the README does not name %s", name)
		}
	}
	_, after, _ := strings.Cut(text, "```yaml\n")
	source, _, _ := strings.Cut(after, "```")
	config, err := mapping.Parse("README.md", []byte(source), mapping.Options{LookupEnv: func(string) (string, bool) { return "secret", true }})
	if err != nil || len(config.Sources()) != 1 || strings.Count(source, "\n") >= 25 {
		t.Errorf("the README's own source has %d lines: %v", strings.Count(source, "\n"), err)
	}
}

func TestSourcesShowPrintsThePresetWithItsSetUp(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "sources", "show", "hubspot")
	if code != 0 || !strings.HasPrefix(out, "# hubspot: ") || !strings.Contains(out, "\n# Set up\n") || !strings.Contains(out, "\nfields:\n") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
	code, out, errs = callbridge(t, "", "sources", "show", "hubspot", "-o", "json")
	var shown struct {
		Name, YAML string
		SetUp      string `json:"set_up"`
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 || shown.Name != "hubspot" || shown.SetUp == "" || !strings.Contains(shown.YAML, "fields:") {
		t.Errorf("as JSON: exit code %d: %s (%v)\n%s", code, errs, err, out)
	}
	code, _, errs = callbridge(t, "", "sources", "show", "hubpsot")
	if code == 0 || !strings.Contains(errs, "there are") || !strings.Contains(errs, "hubspot-workflow") {
		t.Errorf("an unknown preset: exit code %d, %s", code, errs)
	}
}

func TestMapSaysThatAPingIsNoEvent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "callbridge.yaml")
	if err := os.WriteFile(file, []byte(`sources: {intercom: {preset: intercom, secret: "${SECRET}"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const ping = `{"type":"notification_event","topic":"ping","id":null}`
	code, out, errs := callbridge(t, ping, "map", "-c", file, "--source", "intercom", "--content-type", "application/json", "-")
	if code != 0 || !strings.HasPrefix(out, "no event: ") {
		t.Errorf("exit code %d: %s %s", code, out, errs)
	}
	code, out, _ = callbridge(t, ping, "map", "-c", file, "--source", "intercom", "--content-type", "application/json", "-o", "json", "-")
	if code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("as JSON, exit code %d: %s", code, out)
	}
}
