// Package sources holds the presets: one YAML file per CRM, which says how it
// signs, what identifies its events and where its fields are.
//
// To add one, write NAME.yaml with the comment of the others at its head (what it is,
// Set up, Phone, Retries, Contract) and the keys of a source, and sample webhooks in
// mapping/testdata/sources/NAME, and name it in the README. go test ./mapping -update
// writes the expected decisions and the page in docs/sources.
package sources

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Preset is the description of one CRM.
type Preset struct {
	// Name is the value of preset: in callbridge.yaml.
	Name string
	// YAML is the file, with its comments for the CRM's administrator.
	YAML string
}

// All returns every preset, sorted by name.
func All() []Preset {
	var presets []Preset
	for _, name := range Names() {
		data, _ := Read(name)
		presets = append(presets, Preset{Name: name, YAML: string(data)})
	}
	return presets
}

// Names returns the names of all presets, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("sources: the presets are not embedded: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".yaml")
	}
	slices.Sort(names) // without .yaml the order is another one
	return names
}

// Read returns the YAML of one preset.
func Read(name string) ([]byte, error) { return files.ReadFile(name + ".yaml") }
