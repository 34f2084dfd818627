package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"callbridge/mapping"
)

// document is a file of cases while it is parsed. It collects all problems, each with its
// position, as for callbridge.yaml.
type document struct {
	file     string
	root     yaml.Node
	lines    []string
	problems mapping.Problems
}

// node is one value of a document.
type node struct {
	yaml     *yaml.Node
	path     string
	document *document
}

// parse returns the top of the document. If there is none, it adds a problem.
func (d *document) parse(text []byte) (node, bool) {
	d.lines = strings.Split(string(text), "\n")
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err == nil {
		err = loader.Load(&d.root)
	}
	var syntax *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(d.root.Content) == 0:
		d.add(0, 0, "", "the file is empty", "it needs cases:")
		return node{}, false
	case errors.As(err, &syntax):
		d.add(max(syntax.Mark.Line, 1), max(syntax.Mark.Column, 1), "", "not YAML: "+syntax.Message, "")
		return node{}, false
	case err != nil:
		d.add(0, 0, "", "not YAML: "+err.Error(), "")
		return node{}, false
	}
	return node{yaml: d.root.Content[0], document: d}, true
}

func (d *document) add(line, column int, path, text, hint string) {
	problem := mapping.Problem{File: d.file, Line: line, Column: column, Path: path, Text: text, Hint: hint}
	if line > 0 && line <= len(d.lines) {
		problem.Snippet = d.lines[line-1] + "\n" + strings.Repeat(" ", max(column-1, 0)) + "^"
	}
	d.problems = append(d.problems, problem)
}

func (n node) problem(text, hint string) {
	n.document.add(n.yaml.Line, n.yaml.Column, n.path, text, hint)
}

// present reports whether the value is in the file and is not null.
func (n node) present() bool { return n.yaml != nil && n.yaml.Tag != "!!null" }

// member is a key of a mapping and its value.
type member struct {
	name  string
	key   node
	value node
}

// members returns the members of a mapping. A repeated key is a problem.
func (n node) members() []member {
	if n.yaml.Kind != yaml.MappingNode {
		n.problem("this is no mapping (key: value)", "")
		return nil
	}
	var members []member
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		name := n.yaml.Content[i].Value
		m := member{
			name:  name,
			key:   node{yaml: n.yaml.Content[i], path: n.path, document: n.document},
			value: node{yaml: n.yaml.Content[i+1], path: strings.TrimPrefix(n.path+"."+name, "."), document: n.document},
		}
		if slices.ContainsFunc(members, func(other member) bool { return other.name == name }) {
			m.key.problem(fmt.Sprintf("the key %q is here twice", name), "")
			continue
		}
		members = append(members, m)
	}
	return members
}

// known returns the values of a mapping. A key that is not among the given ones is a problem.
func (n node) known(keys ...string) map[string]node {
	values := map[string]node{}
	for _, m := range n.members() {
		if !slices.Contains(keys, m.name) {
			m.key.problem(fmt.Sprintf("unknown key %q", m.name), "there are "+strings.Join(keys, ", "))
		}
		values[m.name] = m.value
	}
	return values
}

// items returns the elements of a list.
func (n node) items() []node {
	if n.yaml.Kind != yaml.SequenceNode {
		n.problem("this is no list (- …)", "")
		return nil
	}
	items := make([]node, len(n.yaml.Content))
	for i, item := range n.yaml.Content {
		items[i] = node{yaml: item, path: fmt.Sprintf("%s[%d]", n.path, i), document: n.document}
	}
	return items
}

// text returns a scalar as it is written, "" if the value is not present.
func (n node) text() string {
	if !n.present() {
		return ""
	}
	if n.yaml.Kind != yaml.ScalarNode {
		n.problem("a text belongs here", "")
		return ""
	}
	return n.yaml.Value
}

// oneOf returns a text. One that is not allowed is a problem.
func (n node) oneOf(allowed ...string) string {
	text := n.text()
	if n.present() && !slices.Contains(allowed, text) {
		n.problem(fmt.Sprintf("%q is not allowed here", text), "write "+strings.Join(allowed, ", "))
	}
	return text
}

// tree returns the value as JSON has it. Scalars that JSON cannot write as a number or a
// boolean are texts: +12025550142, 01234, 2026-11-23.
func (n node) tree() any {
	switch n.yaml.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for _, m := range n.members() {
			object[m.name] = m.value.tree()
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.items() {
			list = append(list, item.tree())
		}
		return list
	case yaml.AliasNode:
		n.problem("YAML aliases (*name) are not supported", "write the value out")
		return nil
	}
	switch tag, text := n.yaml.Tag, n.yaml.Value; {
	case tag == "!!null":
		return nil
	case tag == "!!bool" && (text == "true" || text == "false"):
		return text == "true"
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(text)):
		return json.Number(text)
	default:
		return text
	}
}
