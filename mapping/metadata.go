package mapping

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// jsonTemplate is the metadata of a call, or a part of it: any JSON whose
// texts may have merge tags.
type jsonTemplate struct {
	literal any
	text    *template
	members []jsonMember // of an object
	items   []jsonTemplate
	list    bool
}

type jsonMember struct {
	key   string
	value jsonTemplate
}

func readMetadata(at node, s scope, warnings *Problems) jsonTemplate {
	o, ok := at.object()
	if !ok {
		return jsonTemplate{}
	}
	if name, taken := o.names[requestIDKey]; taken {
		name.problem(requestIDKey+" is callbridge's own", "use another key")
	}
	return readJSONObject(o, s, warnings)
}

func readJSONObject(o object, s scope, warnings *Problems) jsonTemplate {
	t := jsonTemplate{members: []jsonMember{}}
	for _, key := range o.keys {
		plainText(o.names[key])
		t.members = append(t.members, jsonMember{key, readJSON(o.values[key], s, warnings)})
	}
	return t
}

func readJSON(at node, s scope, warnings *Problems) jsonTemplate {
	switch at.Kind {
	case yaml.MappingNode:
		o, _ := at.object()
		return readJSONObject(o, s, warnings)
	case yaml.SequenceNode:
		t := jsonTemplate{list: true}
		for _, item := range at.items() {
			t.items = append(t.items, readJSON(item, s, warnings))
		}
		return t
	}
	if at.Tag == "!!null" {
		return jsonTemplate{}
	}
	text := plainText(at)
	switch {
	case strings.Contains(text, "{{"):
		tagged := readTemplate(at, text, s, true)
		return jsonTemplate{text: &tagged}
	case at.Tag == "!!bool" && (text == "true" || text == "false"):
		return jsonTemplate{literal: text == "true"}
	case slices.Contains([]string{"!!int", "!!float"}, at.Tag) && json.Valid([]byte(text)):
		return jsonTemplate{literal: json.Number(text)} // 0123 and +49… stay texts
	case s.declares(text):
		warnings.add(Problem{
			File: at.doc.file, Line: at.Line, Column: at.Column, Path: at.path,
			Text: quote(text) + " is a word here, though a field has this name", Hint: `write "{{` + text + `}}" for its value`,
		})
	}
	return jsonTemplate{literal: text}
}

// object renders the metadata.
func (t jsonTemplate) object(r *reader) (map[string]any, *refusal) {
	object := make(map[string]any, len(t.members)+1)
	for _, member := range t.members {
		value, there, refused := member.value.render(r)
		if refused != nil {
			return nil, refused
		}
		if there {
			object[member.key] = value
		}
	}
	return object, nil
}

// render gives the value; an optional field that is not there leaves nothing,
// and its key out.
func (t jsonTemplate) render(r *reader) (any, bool, *refusal) {
	switch {
	case t.text != nil:
		return renderText(*t.text, r)
	case t.list:
		items := []any{}
		for _, item := range t.items {
			value, there, refused := item.render(r)
			if refused != nil {
				return nil, false, refused
			}
			if there {
				items = append(items, value)
			}
		}
		return items, true, nil
	case t.members != nil:
		object, refused := t.object(r)
		return object, refused == nil, refused
	default:
		return t.literal, true, nil
	}
}

// renderText keeps the type of a field that is the whole text. A text with an
// optional field that is not there is left out as a whole.
func renderText(t template, r *reader) (any, bool, *refusal) {
	for _, p := range t.parts {
		gone := p.name != "" && p.fallback == nil && r.read(p.name).state != there
		if gone && r.source.optional(p.name) {
			return nil, false, nil
		}
	}
	if tag, single := t.single(); single && tag.layout == "" {
		if value := r.read(tag.name); value.state == there {
			return value.json(), true, nil
		}
	}
	text, refused := t.render(r)
	return text, refused == nil, refused
}
