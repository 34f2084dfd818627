package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"callbridge/event"
	"callbridge/mapping"
)

// expectation is one decision as a case writes it.
type expectation struct {
	Route, Outcome, Reason, Field string
	// call is the body of the call, nil where there is none or where a case
	// does not say.
	call *yaml.Node
}

func expectationOf(d mapping.Decision) (expectation, error) {
	e := expectation{Route: d.Route, Outcome: requested}
	var body json.RawMessage
	if d.Request != nil {
		body = d.Request.Call
	} else {
		e.Outcome, e.Reason, e.Field = string(d.Result.Outcome), string(d.Result.Reason), d.Result.Field
		body = d.Result.Request
	}
	if len(body) == 0 {
		return e, nil
	}
	var document yaml.Node // JSON is YAML, and so keeps the order of its keys
	if err := yaml.Load(body, &document); err != nil {
		return e, fmt.Errorf("read call: %w", err)
	}
	e.call = document.Content[0]
	return e, nil
}

// tree is the expectation as JSON has it, without what callbridge adds to a
// call by itself: these ids change with every name in them.
func (e expectation) tree() map[string]any {
	tree := map[string]any{"outcome": e.Outcome}
	for key, text := range map[string]string{"route": e.Route, "reason": e.Reason, "field": e.Field} {
		if text != "" {
			tree[key] = text
		}
	}
	if e.call != nil {
		call, _ := place{node: withoutIDs(e.call), page: &page{}}.tree().(map[string]any)
		tree["call"] = call
	}
	return tree
}

// withoutIDs copies a call without metadata.callbridge_request_id and the note
// that holds the same.
func withoutIDs(call *yaml.Node) *yaml.Node {
	return without(call, func(key string, value *yaml.Node) (*yaml.Node, bool) {
		if key == "metadata" && value.Kind == yaml.MappingNode {
			value = without(value, func(key string, value *yaml.Node) (*yaml.Node, bool) {
				return value, key != event.RequestKey
			})
			return value, len(value.Content) > 0
		}
		return value, key != "notes" || !strings.HasPrefix(value.Value, "callbridge ")
	})
}

// without copies a mapping with the values that keep gives.
func without(mapping *yaml.Node, keep func(key string, value *yaml.Node) (*yaml.Node, bool)) *yaml.Node {
	copied := *mapping
	copied.Content = nil
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if value, ok := keep(mapping.Content[i].Value, mapping.Content[i+1]); ok {
			copied.Content = append(copied.Content, mapping.Content[i], value)
		}
	}
	return &copied
}

// difference is one place where the result is another than the case expects.
// Want or Got is nil where there is nothing.
type difference struct {
	Path string          `json:"path"`
	Want json.RawMessage `json:"want,omitempty"`
	Got  json.RawMessage `json:"got,omitempty"`
}

// differences compares what a case says with what came out. The list of
// decisions is compared whole; of a decision reason, field and call only where
// the case writes them.
func differences(want, got []expectation) []difference {
	var all []difference
	for i := range max(len(want), len(got)) {
		path := fmt.Sprintf("expect[%d]", i)
		switch {
		case i >= len(got):
			all = append(all, difference{Path: path, Want: encoded(want[i].tree())})
		case i >= len(want):
			all = append(all, difference{Path: path, Got: encoded(got[i].tree())})
		default:
			all = append(all, compare(path, want[i].tree(), got[i].mentioned(want[i]))...)
		}
	}
	return all
}

// mentioned is the tree of e without what want leaves open.
func (e expectation) mentioned(want expectation) map[string]any {
	tree := e.tree()
	if want.Reason == "" {
		delete(tree, "reason")
	}
	if want.Field == "" {
		delete(tree, "field")
	}
	if want.call == nil {
		delete(tree, "call")
	}
	return tree
}

// compare walks two JSON trees and tells each leaf that differs.
func compare(path string, want, got any) []difference {
	wantObject, isObject := want.(map[string]any)
	gotObject, both := got.(map[string]any)
	if isObject && both {
		return compareObjects(path, wantObject, gotObject)
	}
	wantList, isList := want.([]any)
	gotList, both := got.([]any)
	if isList && both {
		return compareLists(path, wantList, gotList)
	}
	if w, g := encoded(want), encoded(got); string(w) != string(g) {
		return []difference{{Path: path, Want: w, Got: g}}
	}
	return nil
}

func compareObjects(path string, want, got map[string]any) []difference {
	all := maps.Clone(want)
	maps.Copy(all, got)
	var found []difference
	for _, key := range slices.Sorted(maps.Keys(all)) {
		w, wanted := want[key]
		g, there := got[key]
		switch inner := path + "." + key; {
		case !there:
			found = append(found, difference{Path: inner, Want: encoded(w)})
		case !wanted:
			found = append(found, difference{Path: inner, Got: encoded(g)})
		default:
			found = append(found, compare(inner, w, g)...)
		}
	}
	return found
}

func compareLists(path string, want, got []any) []difference {
	var found []difference
	for i := range max(len(want), len(got)) {
		switch inner := fmt.Sprintf("%s[%d]", path, i); {
		case i >= len(got):
			found = append(found, difference{Path: inner, Want: encoded(want[i])})
		case i >= len(want):
			found = append(found, difference{Path: inner, Got: encoded(got[i])})
		default:
			found = append(found, compare(inner, want[i], got[i])...)
		}
	}
	return found
}

// encoded is a tree as people read it: without HTML's escapes.
func encoded(tree any) json.RawMessage {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(tree) != nil {
		return nil
	}
	return json.RawMessage(strings.TrimSpace(b.String()))
}
