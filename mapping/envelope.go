package mapping

import (
	"maps"
	"slices"
	"strings"

	"callbridge/mapping/payload"
)

// keptItem is where the event itself stands in a source that keeps parts of
// the delivery around it.
const keptItem = "item"

// kept is one part of a delivery that each of its events takes along.
type kept struct {
	name string
	path payload.Path
}

func readKept(n node) []kept {
	var parts []kept
	named, _ := n.object()
	for _, name := range named.keys {
		if name == keptItem {
			named.names[name].problem("the name "+quote(keptItem)+" is taken", "the event itself stands there")
		}
		if path, ok := readPath(named.values[name], plainText(named.values[name])); ok {
			parts = append(parts, kept{name, path})
		}
	}
	return parts
}

// enclose puts an event of a batch together with what it keeps of the
// delivery. The paths begin at the delivery, to which item is added.
func (s *Source) enclose(root, item payload.Value) payload.Value {
	if len(s.kept) == 0 {
		if item == nil {
			return root
		}
		return item
	}
	object, _ := root.(map[string]any)
	view := maps.Clone(object)
	if view == nil {
		view = map[string]any{}
	}
	view[keptItem] = item
	event := map[string]any{keptItem: item}
	for _, part := range s.kept {
		if value, ok := part.path.Lookup(view); ok {
			event[part.name] = value
		}
	}
	return event
}

// readHidden reads places such as customData.secret: names with dots between,
// since what is taken out must be in one place.
func readHidden(n node) [][]string {
	var hidden [][]string
	for _, item := range n.items() {
		text := plainText(item)
		names := strings.Split(text, ".")
		if slices.Contains(names, "") || strings.ContainsAny(text, `[]"`) {
			item.problem("is no name of a member", "for example customData.secret")
		}
		hidden = append(hidden, names)
	}
	return hidden
}

// conceal takes what is to be hidden out of a delivery: a secret that proves
// the sender must not go on to those who read events.
func (s *Source) conceal(root payload.Value) {
	for _, names := range s.hidden {
		object, _ := root.(map[string]any)
		last := len(names) - 1
		for _, name := range names[:last] {
			object, _ = object[name].(map[string]any)
		}
		delete(object, names[last])
	}
}
