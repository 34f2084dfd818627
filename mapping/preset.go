package mapping

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed sources/*.yaml
var presetFiles embed.FS

// Preset is a source that comes with callbridge: how one CRM signs, names its
// events and where its fields are.
type Preset struct {
	// Name is what stands after preset: in callbridge.yaml.
	Name string
	// YAML is the preset as it is written, its comments for the CRM's
	// administrator included.
	YAML string
}

// Presets returns every preset, sorted by name.
func Presets() []Preset {
	var presets []Preset
	for _, name := range PresetNames() {
		data, _ := readPreset(name)
		presets = append(presets, Preset{Name: name, YAML: string(data)})
	}
	return presets
}

// PresetNames returns the names of all presets, sorted.
func PresetNames() []string {
	files, err := presetFiles.ReadDir("sources")
	if err != nil {
		panic("mapping: the presets are not embedded: " + err.Error())
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(file.Name(), ".yaml")
	}
	slices.Sort(names) // a - goes before the . of the file's ending
	return names
}

func readPreset(name string) ([]byte, error) {
	return presetFiles.ReadFile(path.Join("sources", name+".yaml"))
}

// preset returns the keys of the preset that n names. Its places are those in
// the preset's own file.
func (l *loader) preset(n node) (object, bool) {
	name, ok := n.text()
	if !ok {
		return object{}, false
	}
	names := PresetNames()
	if !slices.Contains(names, name) {
		hint := suggest(name, names)
		if hint == "" {
			hint = "there are " + strings.Join(names, ", ")
		}
		n.problem("no preset "+quote(name), hint)
		return object{}, false
	}
	data, err := readPreset(name)
	if err != nil {
		n.problem("preset "+quote(name)+": "+err.Error(), "")
		return object{}, false
	}
	l.hash.Write(data)
	top, ok := parseDocument("preset "+name, data, &l.problems)
	if !ok {
		return object{}, false
	}
	return top.known(sourceKeys)
}
