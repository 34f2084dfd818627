package main

import (
	"encoding/json"
	"strings"
	"testing"

	"callbridge/mapping/config"
	"callbridge/mapping/sources"
)

func TestSourcesListsEveryPreset(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "sources")
	if code != 0 {
		t.Fatal(errs)
	}
	for _, name := range sources.Names() {
		if !strings.Contains("\n"+out, "\n"+name+" ") {
			t.Errorf("%s is not listed:\n%s", name, out)
		}
	}
	code, out, errs = callbridge(t, "", "sources", "-o", "json")
	var facts []config.Facts
	if err := json.Unmarshal([]byte(out), &facts); err != nil || code != 0 || len(facts) != len(sources.Names()) {
		t.Errorf("as JSON: %d presets, exit code %d: %s (%v)", len(facts), code, errs, err)
	}
	if strings.Contains(out, `"verified": ""`) || strings.Contains(out, `"set_up": ""`) {
		t.Errorf("a preset does not say how it is verified or set up")
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
