package payload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
