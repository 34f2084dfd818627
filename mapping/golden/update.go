package golden

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"

	"go.yaml.in/yaml/v4"
)

// update replaces the expectations of the given cases and writes the file again with its
// comments. The layout is that of the YAML library: blank lines are not kept.
func (s *Suite) update(decided map[int][]expectation) error {
	for i, decisions := range decided {
		setValue(s.cases[i].node.YAML(), "expect", decisionNodes(decisions))
	}
	var text bytes.Buffer
	dumper, err := yaml.NewDumper(&text, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err == nil {
		err = errors.Join(dumper.Dump(s.root), dumper.Close())
	}
	if err != nil {
		return fmt.Errorf("update %s: %w", s.file, err)
	}
	if err := s.verify(text.Bytes(), decided); err != nil {
		return fmt.Errorf("update %s: %w", s.file, err)
	}
	return os.WriteFile(s.file, text.Bytes(), 0o644)
}

// verify parses the new text of the file and compares it with what was to be written, so
// that a value which YAML reads differently from how it writes it never reaches the file.
func (s *Suite) verify(text []byte, decided map[int][]expectation) error {
	// The dumper has changed the nodes of s, so the old text is parsed again too.
	before, err := Parse(s.file, s.text, s.config)
	if err != nil {
		return err
	}
	after, err := Parse(s.file, text, s.config)
	if err != nil {
		return err
	}
	for i, c := range before.cases {
		if decisions, updated := decided[i]; updated {
			c.expected = decisions
		}
		n := after.cases[i]
		if n.name != c.name || !bytes.Equal(n.delivery.Body, c.delivery.Body) || len(differences(c.expected, n.expected)) > 0 {
			return fmt.Errorf("case %q would be read differently; write its expectation by hand", c.name)
		}
	}
	return nil
}

// setValue sets a key of a mapping to a value, and keeps the comments of the old value.
func setValue(mapping *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = merge(mapping.Content[i+1], value)
			return
		}
	}
	mapping.Content = append(mapping.Content, scalar(key), value)
}

// merge returns the value of fresh with the comments, the order of keys and the style of
// old, where the two have the same structure.
func merge(old, fresh *yaml.Node) *yaml.Node {
	switch {
	case old.Kind != fresh.Kind:
		fresh.HeadComment, fresh.LineComment, fresh.FootComment = old.HeadComment, old.LineComment, old.FootComment
		return fresh
	case old.Kind == yaml.MappingNode:
		return mergeMappings(old, fresh)
	case old.Kind == yaml.SequenceNode:
		for i := range min(len(old.Content), len(fresh.Content)) {
			fresh.Content[i] = merge(old.Content[i], fresh.Content[i])
		}
		old.Content = fresh.Content
	case tree(old) != tree(fresh):
		old.Value, old.Tag, old.Style = fresh.Value, fresh.Tag, fresh.Style
	}
	return old
}

func mergeMappings(old, fresh *yaml.Node) *yaml.Node {
	added := map[string]*yaml.Node{}
	for i := 0; i+1 < len(fresh.Content); i += 2 {
		added[fresh.Content[i].Value] = fresh.Content[i+1]
	}
	merged := filtered(old, func(key string, value *yaml.Node) (*yaml.Node, bool) {
		now, ok := added[key]
		if !ok {
			return nil, false
		}
		delete(added, key)
		return merge(value, now), true
	})
	for i := 0; i+1 < len(fresh.Content); i += 2 {
		if _, ok := added[fresh.Content[i].Value]; ok {
			merged.Content = append(merged.Content, fresh.Content[i], fresh.Content[i+1])
		}
	}
	return merged
}

func decisionNodes(decisions []expectation) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, d := range decisions {
		decision := &yaml.Node{Kind: yaml.MappingNode}
		for _, pair := range [][2]string{{"route", d.route}, {"outcome", d.outcome}, {"reason", d.reason}, {"until", d.until}, {"field", d.field}} {
			if pair[1] != "" {
				decision.Content = append(decision.Content, scalar(pair[0]), scalar(pair[1]))
			}
		}
		if d.call != nil {
			decision.Content = append(decision.Content, scalar("call"), blockStyle(withoutIDs(d.call)))
		}
		list.Content = append(list.Content, decision)
	}
	return list
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// word matches texts that need no quotes.
var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_ -]*[A-Za-z0-9_]$`)

// blockStyle copies JSON in YAML's block style.
func blockStyle(n *yaml.Node) *yaml.Node {
	copied := *n
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 {
		copied.Style &^= yaml.FlowStyle
	}
	if n.Kind == yaml.ScalarNode && word.MatchString(n.Value) {
		copied.Style = 0 // the dumper quotes true, null and the like
	}
	copied.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		copied.Content[i] = blockStyle(child)
	}
	return &copied
}
