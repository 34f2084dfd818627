package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/config"
	"callbridge/policy"
)

// expectation is a decision in the form in which a case writes it.
type expectation struct {
	route, outcome, reason, field string
	// until is when a call that waits may be made, in RFC 3339 and UTC; "" if the case does
	// not say.
	until string
	// call is the body of the call; nil if there is none or the case does not say.
	call *yaml.Node
}

func parseExpectation(n config.Node) expectation {
	keys, ok := n.Known(expectKeys)
	if !ok {
		return expectation{}
	}
	e := expectation{route: text(keys, "route"), field: text(keys, "field")}
	outcome, ok := value(keys, "outcome")
	if !ok {
		n.Problem(`"outcome" is missing`, "write requested, deferred, skipped or rejected")
		return e
	}
	e.outcome = outcome.OneOf([]string{requested, deferred, string(event.Skipped), string(event.Rejected)})
	var allowed []string
	for _, reason := range Reasons[e.outcome] {
		allowed = append(allowed, string(reason))
	}
	if reason, ok := value(keys, "reason"); ok {
		switch {
		case e.outcome == requested:
			reason.Problem("a call that is requested has no reason", "")
		case allowed != nil:
			e.reason = reason.OneOf(allowed)
		}
	}
	if until, ok := value(keys, "until"); ok {
		at, err := time.Parse(time.RFC3339, until.Raw())
		if err != nil {
			until.Problem("not an RFC 3339 time", "for example 2026-11-30T09:00:00-05:00")
		}
		e.until = at.UTC().Format(time.RFC3339)
	}
	if call, ok := value(keys, "call"); ok {
		call.Object()
		checkKeys(call)
		e.call = call.YAML()
	}
	return e
}

func expectationOf(d mapping.Decision) (expectation, error) {
	e := expectation{route: d.Route, outcome: requested}
	if d.Verdict.Action == policy.Wait {
		e.until = d.Verdict.Until.UTC().Format(time.RFC3339)
	}
	var body json.RawMessage
	if d.Request != nil {
		body = d.Request.Call
		if e.until != "" {
			e.outcome, e.reason = deferred, string(d.Verdict.Reason)
		}
	} else {
		e.outcome, e.reason, e.field = string(d.Result.Outcome), string(d.Result.Reason), d.Result.Field
		body = d.Result.Request
	}
	if len(body) == 0 {
		return e, nil
	}
	var parsed yaml.Node // JSON is YAML, and YAML keeps the order of the keys
	if err := yaml.Load(body, &parsed); err != nil {
		return e, fmt.Errorf("read call: %w", err)
	}
	e.call = parsed.Content[0]
	return e, nil
}

// tree returns the expectation as JSON has it, without the ids that callbridge adds to a
// call: they change with every name that goes into them.
func (e expectation) tree() map[string]any {
	whole := map[string]any{"outcome": e.outcome}
	for key, text := range map[string]string{"route": e.route, "reason": e.reason, "field": e.field, "until": e.until} {
		if text != "" {
			whole[key] = text
		}
	}
	if e.call != nil {
		whole["call"] = tree(withoutIDs(e.call))
	}
	return whole
}

// withoutIDs copies a call without metadata.callbridge_request_id and without the note that
// contains the same id.
func withoutIDs(call *yaml.Node) *yaml.Node {
	return filtered(call, func(key string, value *yaml.Node) (*yaml.Node, bool) {
		if key == "metadata" && value.Kind == yaml.MappingNode {
			value = filtered(value, func(key string, value *yaml.Node) (*yaml.Node, bool) {
				return value, key != event.RequestKey
			})
			return value, len(value.Content) > 0
		}
		return value, key != "notes" || !strings.HasPrefix(value.Value, "callbridge ")
	})
}

// filtered copies a mapping with the values that keep returns.
func filtered(mapping *yaml.Node, keep func(key string, value *yaml.Node) (*yaml.Node, bool)) *yaml.Node {
	copied := *mapping
	copied.Content = nil
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if value, ok := keep(mapping.Content[i].Value, mapping.Content[i+1]); ok {
			copied.Content = append(copied.Content, mapping.Content[i], value)
		}
	}
	return &copied
}

// Difference is a value that is not as the case expects. Want or Got is nil if there is no
// value.
type Difference struct {
	Path string          `json:"path"`
	Want json.RawMessage `json:"want,omitempty"`
	Got  json.RawMessage `json:"got,omitempty"`
}

// differences compares the expected decisions with those of the mapping. The list is
// compared whole; reason, field and call of a decision only where the case has them.
func differences(want, got []expectation) []Difference {
	var all []Difference
	for i := range max(len(want), len(got)) {
		path := fmt.Sprintf("expect[%d]", i)
		switch {
		case i >= len(got):
			all = append(all, Difference{Path: path, Want: encode(want[i].tree())})
		case i >= len(want):
			all = append(all, Difference{Path: path, Got: encode(got[i].tree())})
		default:
			all = append(all, compare(path, want[i].tree(), got[i].comparable(want[i]))...)
		}
	}
	return all
}

// comparable is the tree of e without the keys that want does not have.
func (e expectation) comparable(want expectation) map[string]any {
	tree := e.tree()
	if want.reason == "" {
		delete(tree, "reason")
	}
	if want.until == "" {
		delete(tree, "until")
	}
	if want.field == "" {
		delete(tree, "field")
	}
	if want.call == nil {
		delete(tree, "call")
	}
	return tree
}

// compare returns the leaves in which two JSON trees differ.
func compare(path string, want, got any) []Difference {
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
	if w, g := encode(want), encode(got); string(w) != string(g) {
		return []Difference{{Path: path, Want: w, Got: g}}
	}
	return nil
}

func compareObjects(path string, want, got map[string]any) []Difference {
	all := maps.Clone(want)
	maps.Copy(all, got)
	var found []Difference
	for _, key := range slices.Sorted(maps.Keys(all)) {
		w, wanted := want[key]
		g, present := got[key]
		switch inner := path + "." + key; {
		case !present:
			found = append(found, Difference{Path: inner, Want: encode(w)})
		case !wanted:
			found = append(found, Difference{Path: inner, Got: encode(g)})
		default:
			found = append(found, compare(inner, w, g)...)
		}
	}
	return found
}

func compareLists(path string, want, got []any) []Difference {
	var found []Difference
	for i := range max(len(want), len(got)) {
		switch inner := fmt.Sprintf("%s[%d]", path, i); {
		case i >= len(got):
			found = append(found, Difference{Path: inner, Want: encode(want[i])})
		case i >= len(want):
			found = append(found, Difference{Path: inner, Got: encode(got[i])})
		default:
			found = append(found, compare(inner, want[i], got[i])...)
		}
	}
	return found
}

// encode writes JSON without HTML escapes.
func encode(tree any) json.RawMessage {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(tree) != nil {
		return nil
	}
	return json.RawMessage(strings.TrimSpace(b.String()))
}
