package call

import (
	"callbridge/mapping/config"
	"callbridge/mapping/field"
	"encoding/json"
	"strconv"
	"strings"
)

// jsonTemplate is the metadata of a call, or a part of it: any JSON, with merge
// tags in its texts.
type jsonTemplate struct {
	literal any
	text    *Template
	members []jsonMember // of an object
	items   []jsonTemplate
	list    bool
}

type jsonMember struct {
	key   string
	value jsonTemplate
}

func readMetadata(at config.Node, s Scope) jsonTemplate {
	o, ok := at.Object()
	if !ok {
		return jsonTemplate{}
	}
	return readJSONObject(o, s)
}

func readJSONObject(o config.Object, s Scope) jsonTemplate {
	t := jsonTemplate{members: []jsonMember{}}
	for _, key := range o.Keys {
		refuseOwnKey(o, key)
		o.Name(key).PlainText()
		t.members = append(t.members, jsonMember{key, readJSON(o.Value(key), s)})
	}
	return t
}

// refuseOwnKey refuses our key of the metadata, also as a variable and in other case: a
// CRM's value there would pass for a request id.
func refuseOwnKey(o config.Object, key string) {
	if strings.EqualFold(key, requestIDKey) {
		o.Name(key).Problem(key+" is callbridge's own", "use another key")
	}
}

func readJSON(at config.Node, s Scope) jsonTemplate {
	switch at.Kind() {
	case config.Mapping:
		o, _ := at.Object()
		return readJSONObject(o, s)
	case config.List:
		t := jsonTemplate{list: true}
		for _, item := range at.Items() {
			t.items = append(t.items, readJSON(item, s))
		}
		return t
	case config.Null:
		return jsonTemplate{}
	}
	text := at.PlainText()
	switch {
	case strings.Contains(text, "{{"):
		tagged := ReadTemplate(at, text, s, true)
		return jsonTemplate{text: &tagged}
	case at.Kind() == config.Bool && (text == "true" || text == "false"):
		return jsonTemplate{literal: text == "true"}
	case at.Kind() == config.Number && json.Valid([]byte(text)):
		return jsonTemplate{literal: json.Number(text)} // 0123 and +49… remain texts
	case s.Declares(text):
		at.Warn(strconv.Quote(text)+" is a word here, though a field has this name", `write "{{`+text+`}}" for its value`)
	}
	return jsonTemplate{literal: text}
}

// object renders the metadata.
func (t jsonTemplate) object(values *field.Values, cut *cuts) (map[string]any, *field.Refusal) {
	object := make(map[string]any, len(t.members)+1)
	for _, member := range t.members {
		value, present, refused := member.value.render(values, cut, member.key)
		if refused != nil {
			return nil, refused
		}
		if present {
			object[member.key] = value
		}
	}
	return object, nil
}

// render returns the value. It reports false if an optional field is missing: its
// key is left out then.
func (t jsonTemplate) render(values *field.Values, cut *cuts, name string) (any, bool, *field.Refusal) {
	switch {
	case t.text != nil:
		return renderText(*t.text, values, cut, name)
	case t.list:
		items := []any{}
		for _, item := range t.items {
			value, present, refused := item.render(values, cut, name)
			if refused != nil {
				return nil, false, refused
			}
			if present {
				items = append(items, value)
			}
		}
		return items, true, nil
	case t.members != nil:
		object, refused := t.object(values, cut)
		return object, refused == nil, refused
	default:
		return t.literal, true, nil
	}
}

// renderText keeps the type of a field that is the whole text. It reports false if
// the text has an optional field that is missing.
func renderText(t Template, values *field.Values, cut *cuts, name string) (any, bool, *field.Refusal) {
	for _, p := range t.Parts {
		lacks := p.Name != "" && p.fallback == nil && values.Get(p.Name).State != field.Present
		if lacks && values.IsOptional(p.Name) {
			return nil, false, nil
		}
	}
	if tag, single := t.Single(); single && tag.layout == "" {
		if value := values.Get(tag.Name); value.State == field.Present {
			return cut.value(value.JSON(), name), true, nil
		}
	}
	text, refused := t.Render(values)
	return cut.value(text, name), refused == nil, refused
}
