package main

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

// page is a file of cases while it is read: what is wrong with it is said as
// for callbridge.yaml, everything at once and each with its place.
type page struct {
	file     string
	lines    []string
	problems mapping.Problems
}

// place is one value of a page.
type place struct {
	node *yaml.Node
	path string
	page *page
}

// parse returns the top of the page. Without one the page has a problem.
func (p *page) parse(text []byte) (place, bool) {
	p.lines = strings.Split(string(text), "\n")
	var document yaml.Node
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err == nil {
		err = loader.Load(&document)
	}
	var at *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0:
		p.add(0, 0, "", "the file is empty", "it needs cases:")
		return place{}, false
	case errors.As(err, &at):
		p.add(max(at.Mark.Line, 1), max(at.Mark.Column, 1), "", "not YAML: "+at.Message, "")
		return place{}, false
	case err != nil:
		p.add(0, 0, "", "not YAML: "+err.Error(), "")
		return place{}, false
	}
	return place{node: document.Content[0], page: p}, true
}

func (p *page) add(line, column int, path, text, hint string) {
	problem := mapping.Problem{File: p.file, Line: line, Column: column, Path: path, Text: text, Hint: hint}
	if line > 0 && line <= len(p.lines) {
		problem.Snippet = p.lines[line-1] + "\n" + strings.Repeat(" ", max(column-1, 0)) + "^"
	}
	p.problems = append(p.problems, problem)
}

func (p place) problem(text, hint string) {
	p.page.add(p.node.Line, p.node.Column, p.path, text, hint)
}

// there reports whether the value stands in the file and says something.
func (p place) there() bool { return p.node != nil && p.node.Tag != "!!null" }

// member is a key of a mapping and its value.
type member struct {
	name  string
	key   place
	value place
}

// members returns what a mapping holds, and refuses a key that stands there
// twice.
func (p place) members() []member {
	if p.node.Kind != yaml.MappingNode {
		p.problem("this is no mapping (key: value)", "")
		return nil
	}
	var members []member
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		name := p.node.Content[i].Value
		m := member{
			name:  name,
			key:   place{node: p.node.Content[i], path: p.path, page: p.page},
			value: place{node: p.node.Content[i+1], path: strings.TrimPrefix(p.path+"."+name, "."), page: p.page},
		}
		if slices.ContainsFunc(members, func(other member) bool { return other.name == name }) {
			m.key.problem(fmt.Sprintf("the key %q stands here twice", name), "")
			continue
		}
		members = append(members, m)
	}
	return members
}

// known returns the values of a mapping that may have these keys only.
func (p place) known(keys ...string) map[string]place {
	values := map[string]place{}
	for _, m := range p.members() {
		if !slices.Contains(keys, m.name) {
			m.key.problem(fmt.Sprintf("unknown key %q", m.name), "there are "+strings.Join(keys, ", "))
		}
		values[m.name] = m.value
	}
	return values
}

// items returns the elements of a list.
func (p place) items() []place {
	if p.node.Kind != yaml.SequenceNode {
		p.problem("this is no list (- …)", "")
		return nil
	}
	items := make([]place, len(p.node.Content))
	for i, item := range p.node.Content {
		items[i] = place{node: item, path: fmt.Sprintf("%s[%d]", p.path, i), page: p.page}
	}
	return items
}

// text returns a single value as it is written, and "" where there is none.
func (p place) text() string {
	if !p.there() {
		return ""
	}
	if p.node.Kind != yaml.ScalarNode {
		p.problem("a text belongs here", "")
		return ""
	}
	return p.node.Value
}

// oneOf returns a text that is one of these.
func (p place) oneOf(allowed ...string) string {
	text := p.text()
	if p.there() && !slices.Contains(allowed, text) {
		p.problem(fmt.Sprintf("%q is not allowed here", text), "write "+strings.Join(allowed, ", "))
	}
	return text
}

// tree returns the value as JSON has it. What YAML alone would change stays
// the text it is: +12025550142, 01234, 2026-11-23.
func (p place) tree() any {
	switch p.node.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for _, m := range p.members() {
			object[m.name] = m.value.tree()
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range p.items() {
			list = append(list, item.tree())
		}
		return list
	case yaml.AliasNode:
		p.problem("YAML aliases (*name) are not supported", "write the value out")
		return nil
	}
	switch tag, text := p.node.Tag, p.node.Value; {
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
