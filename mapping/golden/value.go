package golden

import (
	"encoding/json"

	"go.yaml.in/yaml/v4"

	"callbridge/mapping/config"
)

func keyTable(names ...string) []config.Key {
	keys := make([]config.Key, len(names))
	for i, name := range names {
		keys[i].Name = name
	}
	return keys
}

// value returns the value of a key, if it is in the file and is not null.
func value(keys config.Object, key string) (config.Node, bool) {
	n, ok := keys.Get(key)
	return n, ok && n.Kind() != config.Null
}

// text returns the text of a key, "" if it has no value.
func text(keys config.Object, key string) string {
	n, ok := keys.Get(key)
	if !ok {
		return ""
	}
	return textOf(n)
}

func textOf(n config.Node) string {
	if n.Kind() == config.Null {
		return ""
	}
	text, _ := n.Text()
	return text
}

// checkKeys reports repeated keys in n and in all values inside it.
func checkKeys(n config.Node) {
	switch n.Kind() {
	case config.Mapping:
		o, _ := n.Object()
		for _, key := range o.Keys {
			checkKeys(o.Value(key))
		}
	case config.List:
		for _, item := range n.Items() {
			checkKeys(item)
		}
	}
}

// tree returns a value as JSON has it. Scalars that JSON cannot write as a number or a
// boolean are texts: +12025550142, 01234, 2026-11-23.
func tree(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			object[n.Content[i].Value] = tree(n.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, tree(item))
		}
		return list
	}
	switch tag, text := n.Tag, n.Value; {
	case tag == "!!null":
		return nil
	case tag == "!!bool" && (text == "true" || text == "false"):
		return text == "true"
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(text)):
		return json.Number(text)
	default:
		return text
	}
}
