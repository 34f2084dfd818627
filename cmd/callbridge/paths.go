package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"callbridge/event"
	"callbridge/mapping"
	"callbridge/mapping/payload"
)

// leaf is a value of a webhook and the path that a field would name it by.
type leaf struct {
	Path  string        `json:"path"`
	Value payload.Value `json:"value"`
}

// list prints every value of the events of a delivery.
func (f *mapFlags) list(w io.Writer, events []mapping.Incoming) error {
	leaves := []leaf{}
	for _, e := range events {
		tree, err := payload.Decode("", payload.JSON, e.Event.Data)
		if err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		leaves = appendLeaves(leaves, "", tree)
	}
	return f.printLeaves(w, leaves)
}

// listWhole prints every value of a webhook to no source in particular.
func (f *mapFlags) listWhole(w io.Writer, d mapping.Delivery) error {
	tree, err := payload.Decode(d.Header.Get("Content-Type"), payload.Auto, d.Body)
	if err != nil {
		return fmt.Errorf("read webhook: %w", err)
	}
	return f.printLeaves(w, appendLeaves([]leaf{}, "", tree))
}

func (f *mapFlags) printLeaves(w io.Writer, leaves []leaf) error {
	for i, l := range leaves {
		if text, ok := l.Value.(string); ok && !f.reveal {
			leaves[i].Value = event.Redact(text)
		}
	}
	if f.output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(leaves)
	}
	width := 0
	for _, l := range leaves {
		width = max(width, utf8.RuneCountInString(l.Path))
	}
	for _, l := range leaves {
		_, _ = fmt.Fprintf(w, "%-*s  %s\n", width, l.Path, compact(l.Value))
	}
	return nil
}

func appendLeaves(leaves []leaf, path string, v payload.Value) []leaf {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			leaves = appendLeaves(leaves, strings.TrimPrefix(path+"."+pathKey(key), "."), v[key])
		}
	case []any:
		for i, item := range v {
			leaves = appendLeaves(leaves, fmt.Sprintf("%s[%d]", path, i), item)
		}
	default:
		leaves = append(leaves, leaf{Path: path, Value: v})
	}
	return leaves
}

// plainKey is a key that a path takes without quotes; see payload.Path.
var plainKey = regexp.MustCompile(`^[\p{L}\p{Nd}\p{M}_@:#$-]+$`)

func pathKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}
