package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"callbridge/mapping/payload"
)

// envelope says how events are contained in a delivery: split:, keep:, hide: and
// max_events:.
type envelope struct {
	// split is the path to the events of a batch; nil if a delivery is one event.
	split *payload.Path
	// kept are parts of the delivery that each of its events gets a copy of.
	kept []keptPart
	// hidden are members that are removed, as the source says.
	hidden [][]string
	// credentials are members that verify the sender, which are always removed.
	credentials [][]string
	maxEvents   int
}

type keptPart struct {
	name string
	path payload.Path
}

const (
	// itemName is the member that has the event itself if parts are kept.
	itemName = "item"
	// defaultMaxEvents is far above what CRMs put into one delivery (HubSpot 100).
	defaultMaxEvents = 1000
)

func readEnvelope(keys config.Object) envelope {
	e := envelope{maxEvents: defaultMaxEvents}
	if n, ok := keys.Get("split"); ok {
		if path, ok := field.ReadTreePath(n, n.PlainText()); ok {
			e.split = &path
		}
	}
	if n, ok := keys.Get("keep"); ok {
		if e.kept = readKept(n); e.split == nil {
			n.Problem(`needs "split"`, "an event that is the whole delivery has all of it")
		}
	}
	if n, ok := keys.Get("hide"); ok {
		e.hidden = readHidden(n)
	}
	if n, ok := keys.Get("max_events"); ok {
		e.maxEvents = n.Count("")
	}
	return e
}

func readKept(n config.Node) []keptPart {
	var parts []keptPart
	named, _ := n.Object()
	for _, name := range named.Keys {
		if name == itemName {
			named.Name(name).Problem("the name "+strconv.Quote(itemName)+" is taken", "it is the event itself")
		}
		if path, ok := field.ReadTreePath(named.Value(name), named.Value(name).PlainText()); ok {
			parts = append(parts, keptPart{name, path})
		}
	}
	return parts
}

// readHidden reads members such as customData.secret: names with dots between
// them, since each has to be exactly one member.
func readHidden(n config.Node) [][]string {
	var hidden [][]string
	for _, item := range n.Items() {
		text := item.PlainText()
		names := strings.Split(text, ".")
		if slices.Contains(names, "") || strings.ContainsAny(text, `[]"`) {
			item.Problem("is not a member name", "for example customData.secret")
		}
		hidden = append(hidden, names)
	}
	return hidden
}

// open returns the events of a delivery. A batch without events is not an error
// here.
func (e envelope) open(root payload.Value) ([]payload.Value, error) {
	e.hide(root)
	if e.split == nil {
		return []payload.Value{root}, nil
	}
	items := e.split.All(root)
	if len(items) > e.maxEvents {
		return nil, fmt.Errorf("%w: %d, and max_events is %d", ErrTooManyEvents, len(items), e.maxEvents)
	}
	events := make([]payload.Value, len(items))
	for i, item := range items {
		events[i] = e.withKept(root, item)
	}
	return events, nil
}

// hide removes the hidden members, and what verifies the sender: it must not be
// stored or passed on with the event.
func (e envelope) hide(root payload.Value) {
	for _, names := range e.hidden {
		remove(root, names)
	}
	for _, names := range e.credentials {
		events, isList := root.([]any)
		if !isList {
			events = []any{root}
		}
		for _, event := range events { // of CloudEvents, which have their body as data
			remove(event, names)
			if object, ok := event.(map[string]any); ok {
				remove(object["data"], names)
			}
		}
	}
}

// remove deletes the member at names. The name of a form's field may have dots.
func remove(root payload.Value, names []string) {
	object, _ := root.(map[string]any)
	delete(object, strings.Join(names, "."))
	last := len(names) - 1
	for _, name := range names[:last] {
		object, _ = object[name].(map[string]any)
	}
	delete(object, names[last])
}

// withKept returns an event with the parts that it keeps of the delivery. The
// paths begin at the delivery, which has the event as item.
func (e envelope) withKept(root, item payload.Value) payload.Value {
	if len(e.kept) == 0 {
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
	view[itemName] = item
	event := map[string]any{itemName: item}
	for _, part := range e.kept {
		if value, ok := part.path.Lookup(view); ok {
			event[part.name] = value
		}
	}
	return event
}
