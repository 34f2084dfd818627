package field

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"callbridge/mapping/config"
	"callbridge/mapping/payload"
)

// Origins of values: the word before the colon of a value path.
const (
	fromBody   = "body"
	fromRoot   = "root"
	fromHeader = "header"
	fromQuery  = "query"
	fromSHA256 = "sha256"
	fromText   = "text"
	// fromInstant is a time of the body in one form, for keys.
	fromInstant = "instant"
	// fromLookup is the answer of the CRM's API.
	fromLookup = "lookup"
)

var origins = []string{fromBody, fromRoot, fromHeader, fromQuery, fromSHA256, fromInstant, fromText, fromLookup}

// Path is a value path, such as header:Idempotency-Key.
type Path struct {
	origin string
	name   string
	path   payload.Path
	// optional is a part of a composite that may be missing (body:x?).
	optional bool
	// many says that the path contains [*].
	many bool
	// wraps says that another path of the same list leads into this value. An
	// object found here is then the other format, not an invalid value: HubSpot
	// sends properties.phone as a text or as {value: …}.
	wraps bool
}

// String is the path as written in the configuration, with its origin.
func (p *Path) String() string { return p.origin + ":" + p.name }

// BodyPath is a path into the body as path: of a field takes it: with its origin if it
// begins like one, as a key header:x does.
func BodyPath(path string) string {
	if prefix, _, found := strings.Cut(path, ":"); found && slices.Contains(origins, prefix) {
		return fromBody + ":" + path
	}
	return path
}

// obstacle says why a path finds nothing although its beginning does: a text that has
// JSON inside, or a list.
func (p *Path) obstacle(in *Input) string {
	tree, ok := p.tree(in)
	if !ok {
		return ""
	}
	found, steps := p.path.Obstacle(tree)
	place := func() string {
		if steps == 0 {
			return "; the " + p.origin
		}
		return "; " + p.path.Beginning(steps)
	}
	switch found := found.(type) {
	case string:
		if payload.IsJSONText(found) {
			return place() + " is a text with JSON inside, which is not read: have the CRM send it as JSON"
		}
	case []any:
		if len(found) > 0 {
			return place() + ` is a list: pick an item, as in "list[0].key" or "list[type=mobile].key", or make each item an event with split: "list[*]"`
		}
	}
	return ""
}

// Expression is the value of key:, type:, time: or version:, a list of
// alternatives of which the first one present counts. An alternative of several
// paths combines all of them.
type Expression [][]Path

// ReadExpression reads key:, type:, time: or version:. Every path needs its
// origin, so that a typing error such as heder:X is not taken for a path.
func ReadExpression(n config.Node) Expression {
	var e Expression
	for _, item := range n.Items() {
		var parts []Path
		before := n.Problems()
		for _, part := range item.Items() {
			if p, ok := readPath(part, "", item.Kind() == config.List); ok {
				parts = append(parts, p)
			}
		}
		if len(parts) == 0 && n.Problems() == before {
			item.Problem("names no value", "for example body:id")
		}
		e = append(e, parts)
	}
	return e
}

// readPaths reads the path of a field. Paths without an origin lead into the
// body.
func readPaths(n config.Node) []Path {
	var paths []Path
	for _, item := range n.Items() {
		if p, ok := readPath(item, fromBody, false); ok {
			paths = append(paths, p)
		}
	}
	for i, outer := range paths {
		paths[i].wraps = slices.ContainsFunc(paths, func(inner Path) bool {
			return inner.origin == outer.origin && strings.HasPrefix(inner.name, outer.name+".")
		})
	}
	return paths
}

func readPath(n config.Node, defaultOrigin string, composite bool) (Path, bool) {
	if n.Kind() == config.Text && strings.TrimSpace(n.Raw()) == "" {
		n.Problem("is empty", "say where the value is")
		return Path{}, false
	}
	text := n.PlainText()
	if text == "" {
		return Path{}, false
	}
	p := Path{origin: defaultOrigin, name: text}
	prefix, rest, found := strings.Cut(text, ":")
	switch {
	case found && slices.Contains(origins, prefix):
		p.origin, p.name = prefix, rest
	case defaultOrigin == "":
		n.Problem(strconv.Quote(text)+" does not say where the value is",
			"begin with body:, root:, header:, query:, lookup:, sha256: or text:")
		return Path{}, false
	}
	if composite {
		p.name, p.optional = strings.CutSuffix(p.name, "?")
	}
	var ok bool
	switch p.origin {
	case fromSHA256:
		inner, isPath := strings.CutPrefix(p.name, fromBody+":")
		if p.name != fromBody && !isPath {
			n.Problem("sha256: is only for the body", "write sha256:body, or sha256:body:path for a part of it")
			return Path{}, false
		}
		if isPath {
			p.path, ok = ReadTreePath(n, inner)
			return p, ok
		}
	case fromInstant:
		inner, isPath := strings.CutPrefix(p.name, fromBody+":")
		if !isPath {
			n.Problem("instant: is only for a time in the body", "write instant:body:path")
			return Path{}, false
		}
		p.path, ok = ReadTreePath(n, inner)
		return p, ok
	case fromBody, fromRoot, fromLookup:
		p.many = strings.Contains(p.name, "[*]")
		p.path, ok = ReadTreePath(n, p.name)
		return p, ok
	}
	return p, true
}

// ReadTreePath parses text, which is the end of the node's text, as a path into
// a tree. It reports a problem at the character that is wrong.
func ReadTreePath(n config.Node, text string) (payload.Path, bool) {
	path, err := payload.ParsePath(text)
	var wrong *payload.PathError
	switch {
	case err == nil:
		return path, true
	case errors.As(err, &wrong):
		prefix := utf8.RuneCountInString(strings.TrimSuffix(strings.TrimSuffix(n.Raw(), "?"), text))
		n.ProblemAt(prefix+wrong.Column-1, wrong.Problem, wrong.Hint)
	default:
		n.Problem(err.Error(), "")
	}
	return path, false
}

// IsConstant reports whether an alternative is the same for every event.
func (e Expression) IsConstant() bool {
	return slices.ContainsFunc(e, func(parts []Path) bool {
		return len(parts) > 0 && !slices.ContainsFunc(parts, func(p Path) bool { return p.origin != fromText })
	})
}

// RefuseLookup reports a problem if the value, named what, depends on a lookup
// although it has to be known before.
func (e Expression) RefuseLookup(at config.Node, what string) {
	if slices.ContainsFunc(e, useLookup) {
		at.Problem(what+" has to be known before the lookup", "name a value of the webhook")
	}
}

// useLookup reports whether any of the paths leads into the answer of a lookup.
func useLookup(paths []Path) bool {
	return slices.ContainsFunc(paths, func(p Path) bool { return p.origin == fromLookup })
}

// onlyLookup reports whether all of the paths lead into the answer of a lookup.
func onlyLookup(paths []Path) bool {
	return useLookup(paths) && !slices.ContainsFunc(paths, func(p Path) bool { return p.origin != fromLookup })
}

// isPending reports whether the value has to wait for the lookup.
func (e Expression) isPending(in *Input) bool {
	return in.Pending && slices.ContainsFunc(e, useLookup)
}

// Text returns the first alternative that is present. A composite becomes a JSON
// array of its parts, so that different parts never give the same text.
func (e Expression) Text(in *Input) (string, bool) {
	for _, parts := range e {
		if len(parts) == 1 && !parts[0].optional {
			if text, ok := parts[0].text(in); ok {
				return text, true
			}
			continue
		}
		texts, ok := partTexts(parts, in)
		if !ok {
			continue
		}
		if joined, err := json.Marshal(texts); err == nil {
			return string(joined), true
		}
	}
	return "", false
}

// Dotted is Text for people and rules: a composite becomes its parts with dots
// between them, such as change.deal. It may be ambiguous, so it identifies
// nothing.
func (e Expression) Dotted(in *Input) (string, bool) {
	for _, parts := range e {
		if len(parts) == 1 {
			if text, ok := parts[0].text(in); ok {
				return text, true
			}
			continue
		}
		texts, ok := partTexts(parts, in)
		if !ok {
			continue
		}
		var present []string
		for _, text := range texts {
			if text != nil {
				present = append(present, *text)
			}
		}
		return strings.Join(present, "."), true
	}
	return "", false
}

// partTexts returns the parts of a composite, nil for a missing optional one. It
// reports false if another part or all of them are missing.
func partTexts(parts []Path, in *Input) ([]*string, bool) {
	texts := make([]*string, len(parts))
	some := false
	for i, part := range parts {
		text, ok := part.text(in)
		if !ok && !part.optional {
			return nil, false
		}
		if ok {
			texts[i], some = &text, true
		}
	}
	return texts, some
}
