package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

var errNotEdited = errors.New("the file cannot be edited here; write the expectation by hand")

// update writes what came out as the new expectations of these cases. All
// other lines of the file stay as they are, and so do comments inside an
// expectation. A file that would not say afterwards what came out is left alone.
func (s *suite) update(got map[int][]expectation) error {
	lines := strings.Split(strings.TrimRight(string(s.text), "\n"), "\n")
	for i := len(s.cases) - 1; i >= 0; i-- { // from below, so that line numbers hold
		if _, changed := got[i]; !changed {
			continue
		}
		from, to := s.linesOf(i, len(lines))
		written, err := s.cases[i].written(lines[from:to], got[i])
		if err != nil {
			return fmt.Errorf("update %s:%d: %w", s.file, s.cases[i].at.node.Line, err)
		}
		lines = slices.Replace(lines, from, to, written...)
	}
	text := []byte(strings.Join(lines, "\n") + "\n")
	again, err := readSuite(s.file, text, s.config)
	if err != nil {
		return fmt.Errorf("update %s: %w", s.file, errNotEdited)
	}
	for i, expected := range got {
		if len(again.cases) != len(s.cases) || len(differences(again.cases[i].expect, expected)) > 0 {
			return fmt.Errorf("update %s: case %q: %w", s.file, s.cases[i].name, errNotEdited)
		}
	}
	return os.WriteFile(s.file, text, 0o644)
}

// linesOf are the lines of a case's expect, from and up to, counted from 0. If
// it has none they are the empty range where one belongs: at the case's end.
func (s *suite) linesOf(i, end int) (from, to int) {
	c := s.cases[i].at.node
	to = end
	if i+1 < len(s.cases) {
		to = s.cases[i+1].at.node.Line - 1
	}
	from = -1
	last := c
	for k := 0; k+1 < len(c.Content); k += 2 {
		switch {
		case c.Content[k].Value == "expect":
			from = c.Content[k].Line - 1
		case from >= 0:
			to = min(to, c.Content[k].Line-1)
		}
		if from < 0 || c.Content[k].Value == "expect" {
			last = c.Content[k+1]
		}
	}
	// Blank lines and comments before the next case belong to it.
	lines := strings.Split(string(s.text), "\n")
	for to > lastLine(last) && comment.MatchString(lines[to-1]) {
		to--
	}
	if from < 0 {
		from = to
	}
	return from, to
}

var comment = regexp.MustCompile(`^\s*(#.*)?$`)

// lastLine is the last line, counted from 1, on which a value is known to
// stand: a text written with | may end in what looks like a comment.
func lastLine(n *yaml.Node) int {
	last := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		last += strings.Count(strings.TrimRight(n.Value, "\n"), "\n") + 1
	}
	for _, child := range n.Content {
		last = max(last, lastLine(child))
	}
	return last
}

// written is the case's expect with what came out, line by line.
func (c goldenCase) written(old []string, got []expectation) ([]string, error) {
	if c.at.node.Style&yaml.FlowStyle != 0 {
		return nil, errors.New("write the case over several lines first")
	}
	fresh := mappingNode("expect", decisionNodes(got))
	var document yaml.Node
	if len(old) > 0 {
		if err := yaml.Load([]byte(strings.Join(old, "\n")), &document); err != nil {
			return nil, errNotEdited
		}
	}
	if len(document.Content) > 0 {
		fresh = merged(document.Content[0], fresh)
	}
	var text bytes.Buffer
	dumper, err := yaml.NewDumper(&text, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err == nil {
		err = errors.Join(dumper.Dump(fresh), dumper.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("write expect: %w", err)
	}
	indent := strings.Repeat(" ", c.at.node.Column-1)
	lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = indent + line
		}
	}
	return lines, nil
}

// merged is fresh with the comments, the order and the writing of old where
// both say the same.
func merged(old, fresh *yaml.Node) *yaml.Node {
	switch {
	case old.Kind != fresh.Kind:
		fresh.HeadComment, fresh.LineComment, fresh.FootComment = old.HeadComment, old.LineComment, old.FootComment
		return fresh
	case old.Kind == yaml.MappingNode:
		return mergedMapping(old, fresh)
	case old.Kind == yaml.SequenceNode:
		for i := range fresh.Content {
			if i < len(old.Content) {
				fresh.Content[i] = merged(old.Content[i], fresh.Content[i])
			}
		}
		old.Content = fresh.Content
	case (place{node: old}).tree() != (place{node: fresh}).tree():
		old.Value, old.Tag, old.Style = fresh.Value, fresh.Tag, fresh.Style
	}
	return old
}

func mergedMapping(old, fresh *yaml.Node) *yaml.Node {
	left := map[string]*yaml.Node{}
	for i := 0; i+1 < len(fresh.Content); i += 2 {
		left[fresh.Content[i].Value] = fresh.Content[i+1]
	}
	kept := without(old, func(key string, value *yaml.Node) (*yaml.Node, bool) {
		now, ok := left[key]
		if !ok {
			return nil, false
		}
		delete(left, key)
		return merged(value, now), true
	})
	for i := 0; i+1 < len(fresh.Content); i += 2 {
		if _, ok := left[fresh.Content[i].Value]; ok {
			kept.Content = append(kept.Content, fresh.Content[i], fresh.Content[i+1])
		}
	}
	return kept
}

func decisionNodes(decisions []expectation) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, d := range decisions {
		var pairs []any
		for _, pair := range [][2]string{{"route", d.Route}, {"outcome", d.Outcome}, {"reason", d.Reason}, {"field", d.Field}} {
			if pair[1] != "" {
				pairs = append(pairs, pair[0], &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: pair[1]})
			}
		}
		if d.call != nil {
			pairs = append(pairs, "call", blockStyle(withoutIDs(d.call)))
		}
		list.Content = append(list.Content, mappingNode(pairs...))
	}
	return list
}

// mappingNode makes a mapping of keys and nodes in turn.
func mappingNode(pairs ...any) *yaml.Node {
	made := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		value, _ := pairs[i+1].(*yaml.Node)
		made.Content = append(made.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	}
	return made
}

// word is a text that needs no quotes to stay a text.
var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_ -]*[A-Za-z0-9_]$`)

// blockStyle copies JSON as people write YAML. Copies it, since the dumper
// takes the tags off the nodes that it writes.
func blockStyle(n *yaml.Node) *yaml.Node {
	copied := *n
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 {
		copied.Style &^= yaml.FlowStyle
	}
	if n.Kind == yaml.ScalarNode && word.MatchString(n.Value) {
		copied.Style = 0 // the dumper quotes true, null and their like
	}
	copied.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		copied.Content[i] = blockStyle(child)
	}
	return &copied
}
