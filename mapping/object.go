package mapping

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
)

// object is a mapping of YAML: its keys in the order of the file.
type object struct {
	at     node
	keys   []string
	values map[string]node
	// names are the places of the keys themselves.
	names map[string]node
}

// object reads a mapping with any keys. A key that stands there twice is a
// problem: YAML would silently take the last.
func (n node) object() (object, bool) {
	if !n.is(yaml.MappingNode, "a mapping (key: value)") {
		return object{}, false
	}
	o := object{at: n, values: map[string]node{}, names: map[string]node{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := node{Node: n.Content[i], doc: n.doc, path: n.path}
		key, ok := name.text()
		if !ok {
			continue
		}
		if _, twice := o.values[key]; twice {
			name.problem("the key "+quote(key)+" stands here twice", "")
			continue
		}
		o.keys = append(o.keys, key)
		o.names[key] = name
		o.values[key] = node{Node: n.Content[i+1], doc: n.doc, path: join(n.path, key)}
	}
	return o, true
}

// known reads a mapping that may have these keys only.
func (n node) known(keys []Key) (object, bool) {
	o, ok := n.object()
	if ok {
		o.refuseOthers(keys)
	}
	return o, ok
}

func (o object) refuseOthers(keys []Key) {
	names := keyNames(keys)
	for _, key := range o.keys {
		if !slices.Contains(names, key) {
			o.names[key].problem("unknown key "+quote(key), suggest(key, names))
		}
	}
}

func (o object) get(key string) (node, bool) {
	n, ok := o.values[key]
	return n, ok
}

// overlay returns o with the keys of over in place of its own.
func (o object) overlay(over object) object {
	merged := object{
		at: over.at, keys: slices.Clone(o.keys),
		values: maps.Clone(o.values), names: maps.Clone(o.names),
	}
	for _, key := range over.keys {
		if _, there := merged.values[key]; !there {
			merged.keys = append(merged.keys, key)
		}
		merged.values[key], merged.names[key] = over.values[key], over.names[key]
	}
	return merged
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
