package mapping

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"go.yaml.in/yaml/v4"

	"callbridge/mapping/payload"
)

// Where a value is.
const (
	fromBody   = "body"
	fromRoot   = "root"
	fromHeader = "header"
	fromQuery  = "query"
	fromSHA256 = "sha256"
	fromText   = "text"
	// fromLookup is what the CRM's API answered.
	fromLookup = "lookup"
)

var origins = []string{fromBody, fromRoot, fromHeader, fromQuery, fromSHA256, fromText, fromLookup}

// lookup is one place where a value may be, such as header:Idempotency-Key.
type lookup struct {
	origin string
	name   string
	path   payload.Path
	// optional is a part of a composite that may be missing (body:x?).
	optional bool
	// many says that the path has [*].
	many bool
	// wraps says that another place of the same list lies inside this one. An
	// object found here is then the other's shape, not an odd value: HubSpot
	// sends properties.phone as a text or as {value: …}.
	wraps bool
}

// expression is a value of a source: the first alternative that is there. An
// alternative of several parts is all of them.
type expression [][]lookup

// readExpression reads key:, type: or time:. Every place needs its prefix, so
// that a slip such as heder:X does not become a path.
func readExpression(n node) expression {
	var e expression
	for _, item := range n.items() {
		var parts []lookup
		before := len(*n.doc.problems)
		for _, part := range item.items() {
			composite := item.Kind == yaml.SequenceNode
			if l, ok := readLookup(part, "", composite); ok {
				parts = append(parts, l)
			}
		}
		if len(parts) == 0 && len(*n.doc.problems) == before {
			item.problem("names no value", "for example body:id")
		}
		e = append(e, parts)
	}
	return e
}

// constant reports whether an alternative is the same for every event.
func (e expression) constant() bool {
	return slices.ContainsFunc(e, func(parts []lookup) bool {
		return len(parts) > 0 && !slices.ContainsFunc(parts, func(l lookup) bool { return l.origin != fromText })
	})
}

// readPaths reads the path of a field: places that lie in the body unless they
// say otherwise.
func readPaths(n node) []lookup {
	var places []lookup
	for _, item := range n.items() {
		if l, ok := readLookup(item, fromBody, false); ok {
			places = append(places, l)
		}
	}
	for i, outer := range places {
		places[i].wraps = slices.ContainsFunc(places, func(inner lookup) bool {
			return inner.origin == outer.origin && strings.HasPrefix(inner.name, outer.name+".")
		})
	}
	return places
}

func readLookup(n node, defaultOrigin string, composite bool) (lookup, bool) {
	if n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == "" {
		n.problem("is empty", "say where the value is")
		return lookup{}, false
	}
	text := plainText(n)
	if text == "" {
		return lookup{}, false
	}
	l := lookup{origin: defaultOrigin, name: text}
	prefix, rest, found := strings.Cut(text, ":")
	switch {
	case found && slices.Contains(origins, prefix):
		l.origin, l.name = prefix, rest
	case defaultOrigin == "":
		n.problem(quote(text)+" does not say where the value is",
			"begin with body:, root:, header:, query:, lookup:, sha256: or text:")
		return lookup{}, false
	}
	if composite {
		l.name, l.optional = strings.CutSuffix(l.name, "?")
	}
	switch l.origin {
	case fromSHA256:
		inner, isPath := strings.CutPrefix(l.name, fromBody+":")
		if l.name != fromBody && !isPath {
			n.problem("sha256: is only for the body", "write sha256:body, or sha256:body:path for a part of it")
			return lookup{}, false
		}
		if isPath {
			path, ok := readPath(n, inner)
			l.path = path
			return l, ok
		}
	case fromBody, fromRoot, fromLookup:
		path, ok := readPath(n, l.name)
		l.path, l.many = path, strings.Contains(l.name, "[*]")
		return l, ok
	}
	return l, true
}

// readPath puts the problems of a path under the character that is wrong. The
// path is the end of the node's text.
func readPath(n node, text string) (payload.Path, bool) {
	path, err := payload.ParsePath(text)
	var wrong *payload.PathError
	switch {
	case err == nil:
		return path, true
	case errors.As(err, &wrong):
		prefix := utf8.RuneCountInString(strings.TrimSuffix(strings.TrimSuffix(n.Value, "?"), text))
		line, column := n.locate(common.NewLocation(1, prefix+wrong.Column-1))
		n.problemAt(line, column, wrong.Problem, wrong.Hint)
	default:
		n.problem(err.Error(), "")
	}
	return path, false
}

// text returns the first alternative that is there. A composite is a JSON
// array of its parts, so that no two lists of parts look the same.
func (e expression) text(m *material) (string, bool) {
	for _, parts := range e {
		if len(parts) == 1 && !parts[0].optional {
			if text, ok := parts[0].text(m); ok {
				return text, true
			}
			continue
		}
		if text, ok := composite(parts, m); ok {
			return text, true
		}
	}
	return "", false
}

func composite(parts []lookup, m *material) (string, bool) {
	texts, some := partTexts(parts, m)
	joined, err := json.Marshal(texts)
	return string(joined), err == nil && some
}

// dotted is text for people and rules: the parts that are there with a dot
// between, such as change.deal. It does for what names no event.
func (e expression) dotted(m *material) (string, bool) {
	for _, parts := range e {
		if len(parts) == 1 {
			if text, ok := parts[0].text(m); ok {
				return text, true
			}
			continue
		}
		texts, some := partTexts(parts, m)
		var there []string
		for _, text := range texts {
			if text != nil {
				there = append(there, *text)
			}
		}
		if some {
			return strings.Join(there, "."), true
		}
	}
	return "", false
}

// partTexts reports whether there is any part, and none is missing that must
// not be.
func partTexts(parts []lookup, m *material) ([]*string, bool) {
	texts := make([]*string, len(parts))
	some := false
	for i, part := range parts {
		text, ok := part.text(m)
		if !ok && !part.optional {
			return nil, false
		}
		if ok {
			texts[i], some = &text, true
		}
	}
	return texts, some
}
