package payload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Leaf is a single value of a tree, or an empty object or list, with its path.
type Leaf struct {
	Path  string `json:"path"`
	Value Value  `json:"value"`
}

// Leaves returns the leaves of a tree in the order of their keys. ParsePath takes each
// path, and finds the leaf again.
func Leaves(tree Value) []Leaf { return appendLeaves([]Leaf{}, "", tree) }

func appendLeaves(leaves []Leaf, path string, v Value) []Leaf {
	object, isObject := v.(map[string]any)
	list, isList := v.([]any)
	switch {
	case isObject && len(object) > 0:
		for _, key := range slices.Sorted(maps.Keys(object)) {
			inner := quotedKey(key)
			if path != "" {
				inner = path + "." + inner
			}
			leaves = appendLeaves(leaves, inner, object[key])
		}
	case isList && len(list) > 0:
		for i, item := range list {
			leaves = appendLeaves(leaves, fmt.Sprintf("%s[%d]", path, i), item)
		}
	default:
		leaves = append(leaves, Leaf{Path: path, Value: v})
	}
	return leaves
}

// quotedKey is a key as a path has it.
func quotedKey(key string) string {
	if key != "" && !strings.ContainsFunc(key, func(r rune) bool { return !isKeyRune(r) }) {
		return key
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}

// Obstacle returns the last value that a path leads to, and how many of its steps lead
// there, if the next step cannot be taken; else nil.
func (p Path) Obstacle(tree Value) (found Value, steps int) {
	v := tree
	for i := range p.steps {
		if p.steps[i].kind == every {
			return nil, 0
		}
		next, ok := walk{tree}.step(&p.steps[i], v)
		if !ok {
			return v, i
		}
		v = next
	}
	return nil, 0
}

// Beginning is the text of the first steps of a path.
func (p Path) Beginning(steps int) string {
	text := ""
	for i := range p.steps[:steps] {
		switch s := &p.steps[i]; s.kind {
		case item:
			text += fmt.Sprintf("[%d]", s.index)
		case match:
			text += "[…]"
		case formKey:
			text += "." + s.key
		default:
			text += "." + quotedKey(s.key)
		}
	}
	return strings.TrimPrefix(text, ".")
}

// IsJSONText reports whether a text is a JSON object or list, such as JSON that was
// encoded twice.
func IsJSONText(text string) bool {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return false
	}
	return jsontext.Value(text).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}
