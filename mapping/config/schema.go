package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"callbridge/mapping/sources"
	"callbridge/signature"
)

// Schema returns the JSON Schema (draft 2020-12) of callbridge.yaml, indented.
// It is made of the key tables, so that an editor suggests the keys that are
// read. It does not check rules, paths and names: a file that it accepts may
// still be wrong.
func Schema() ([]byte, error) {
	defs := shared()
	for _, section := range Sections() {
		defs[section.Name] = sectionSchema(section)
	}
	file, _ := defs["file"].(schema)
	delete(defs, "file")
	file["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	file["title"] = "callbridge.yaml"
	file["description"] = "Sources of webhooks, and routes that make calls from their events."
	file["$defs"] = defs
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return text.Bytes(), nil
}

type schema map[string]any

// required are the mandatory keys of each part. A source and its fields have
// none, since they may get them from a preset.
var required = map[string][]string{
	"file": {"sources"}, "route": {"name", "source", "call"}, "call": {"call_to"},
	"lookup": {"url"}, "lookup_answer": {"means"}, "auth": {"kind"},
	"limited": {"text"}, "storm": {"calls", "within"},
}

func sectionSchema(section Section) schema {
	properties := schema{}
	for _, key := range section.Keys {
		if key.Instead != "" {
			continue
		}
		property := keySchema(section.Name+"."+key.Name, key)
		property["description"] = key.Doc
		properties[key.Name] = property
	}
	made := objectSchema(properties)
	if keys, ok := required[section.Name]; ok {
		made["required"] = keys
	}
	return made
}

// keySchema is the schema of one key. It follows from the kind of the key,
// except for the keys named here.
func keySchema(name string, key Key) schema {
	switch name {
	case "file.sources":
		return named("^[a-z0-9-]{1,40}$", definition("source"))
	case "file.routes":
		return schema{"type": "array", "items": definition("route")}
	case "source.preset":
		return schema{"enum": sources.Names()}
	case "source.secret":
		return definition("secrets")
	case "source.verify":
		return oneOrMore(definition("verifier"))
	case "challenge.token":
		return definition("secrets")
	case "source.key", "source.type", "source.time", "source.version":
		return oneOrMore(definition("texts"))
	case "source.keep", "source.params", "lookup.headers":
		return schema{"type": "object", "additionalProperties": definition("text")}
	case "source.text":
		return definition("reading")
	case "source.tables":
		return schema{"type": "object", "additionalProperties": schema{"type": "object", "additionalProperties": definition("text")}}
	case "lookup.answers":
		return oneOrMore(definition("lookup_answer"))
	case "source.zone", "field.zone":
		return definition("texts")
	case "source.fields":
		return named(FieldName.String(), definition("field"))
	case "field.default": // a list, if the field is one
		return definition("texts")
	case "route.name":
		return schema{"type": "string", "pattern": RouteName.String()}
	case "policy.hours":
		return oneOrMore(schema{"anyOf": []schema{definition("text"), definition("own_hours")}})
	case "policy.zone", "policy.holidays":
		return definition("policy_" + key.Name)
	case "policy.storm":
		return schema{"anyOf": []schema{definition("storm"), {"const": None}}}
	case "call.metadata":
		return schema{"type": "object"} // of any JSON
	case "call.agent_dynamic_variables":
		return named(VariableName.String(), limited())
	case "call.notes":
		return limited()
	case "call.is_test": // or the name of a field
		return schema{"type": []string{"boolean", "string"}}
	case "call.call_direction":
		return schema{"type": "string", "examples": CallDirections}
	}
	isSection := slices.ContainsFunc(Sections(), func(s Section) bool { return s.Name == key.Name })
	switch {
	case isSection && key.Kind == "object":
		return definition(key.Name)
	case isSection && key.Kind == "any":
		return oneOrMore(definition(key.Name))
	default:
		return kindSchema(key)
	}
}

func kindSchema(key Key) schema {
	switch key.Kind {
	case "bool":
		return schema{"type": "boolean"}
	case "number":
		return schema{"type": "number", "exclusiveMinimum": 0}
	case "duration":
		return definition("duration")
	case "duration or none":
		return schema{"anyOf": []schema{definition("duration"), {"const": None}}}
	case "count or none":
		return schema{"anyOf": []schema{{"type": "integer", "minimum": 1}, {"const": None}}}
	case "secret":
		return definition("secret")
	case "list":
		if key.Values != nil {
			return oneOrMore(schema{"enum": key.Values})
		}
		return definition("texts")
	case "object":
		return schema{"type": "object"}
	case "any":
		return schema{}
	}
	if key.Values != nil {
		return schema{"enum": key.Values}
	}
	return definition("text")
}

// shared are the definitions that the sections refer to. A text may be what YAML
// reads as a number or a boolean, since values are taken as written, such as
// +12025550100.
func shared() schema {
	return schema{
		"text":     schema{"type": []string{"string", "number", "boolean"}},
		"texts":    oneOrMore(definition("text")),
		"duration": schema{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`},
		// A reference to a secret, never the secret itself.
		"secret":  schema{"type": "string", "pattern": reference.String()},
		"secrets": oneOrMore(definition("secret")),
		// Spans by weekday or by a range of them.
		"own_hours": named("^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$", oneOrMore(schema{"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"})),
		"verifier":  verifierSchema(reflect.TypeFor[signature.Config]()),
	}
}

// limited is a text, alone or with its maximum length.
func limited() schema { return schema{"anyOf": []schema{definition("text"), definition("limited")}} }

func oneOrMore(item schema) schema {
	return schema{"anyOf": []schema{item, {"type": "array", "items": item}}}
}

func objectSchema(properties schema) schema {
	return schema{"type": "object", "properties": properties, "additionalProperties": false}
}

func named(pattern string, value schema) schema {
	return schema{"type": "object", "propertyNames": schema{"pattern": pattern}, "additionalProperties": value}
}

func definition(name string) schema { return schema{"$ref": "#/$defs/" + name} }

// verifierSchema follows the yaml tags of signature.Config, as Node.checkKeys does.
func verifierSchema(t reflect.Type) schema {
	properties := schema{}
	for i := range t.NumField() {
		properties[t.Field(i).Tag.Get("yaml")] = typeSchema(t.Field(i).Type)
	}
	return objectSchema(properties)
}

func typeSchema(t reflect.Type) schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[[]signature.Config]():
		return schema{"type": "array", "items": definition("verifier")}
	case t == reflect.TypeFor[time.Duration]():
		return definition("duration")
	case t == reflect.TypeFor[signature.Secrets]():
		return definition("secrets")
	case t.Kind() == reflect.Struct:
		return verifierSchema(t)
	case t.Kind() == reflect.Slice:
		return definition("texts")
	case t.Kind() == reflect.Bool:
		return schema{"type": "boolean"}
	default:
		return definition("text")
	}
}
