package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one YAML file: callbridge.yaml, or a preset.
type document struct {
	file     string
	lines    []string
	problems *Problems
	// hidden are the lines that may hold a secret: no problem shows them.
	hidden map[int]bool
}

// node is one place in a document. A value stays a node until it is used, so
// that every complaint has a line and a column, and so that +4917… and 01234
// keep their text: YAML alone would read numbers.
type node struct {
	*yaml.Node
	doc  *document
	path string
}

// parseDocument reads the one YAML document in data and returns its top.
func parseDocument(file string, data []byte, problems *Problems) (node, bool) {
	doc := &document{
		file: file, lines: strings.Split(string(data), "\n"), problems: problems, hidden: map[int]bool{},
	}
	if strings.TrimSpace(string(data)) == "" {
		problems.add(Problem{File: file, Text: "the file is empty", Hint: "it needs sources: and routes:"})
		return node{}, false
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	var top, second yaml.Node
	if err == nil {
		err = loader.Load(&top)
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(top.Content) == 0:
		problems.add(Problem{File: file, Text: "the file holds only comments", Hint: "it needs sources: and routes:"})
		return node{}, false
	case err != nil:
		doc.syntaxProblem(err)
		return node{}, false
	}
	root := node{Node: top.Content[0], doc: doc}
	if err := loader.Load(&second); err == nil {
		node{Node: &second, doc: doc}.problem("more than one YAML document", "remove the line with ---")
		return root, false
	} else if !errors.Is(err, io.EOF) {
		doc.syntaxProblem(err)
		return root, false
	}
	root.hideSecrets(false)
	return root, root.refuseAliases()
}

// hideSecrets finds the lines where a secret stands, or where somebody has
// written one out.
func (n node) hideSecrets(secret bool) {
	if secret {
		lines := strings.Count(n.Value, "\n") + 1
		if n.block() {
			lines++ // the one with | or >
		}
		for line := range lines {
			n.doc.hidden[n.Line+line] = true
		}
	}
	for i, child := range n.Content {
		named := n.Kind == yaml.MappingNode && i%2 == 1 && (isSecretKey(n.Content[i-1].Value) || n.Content[i-1].Value == "auth")
		node{Node: child, doc: n.doc}.hideSecrets(secret || named)
	}
}

// refuseAliases keeps values from coming from elsewhere in the file: a secret
// could hide behind an alias, and no place would be the place of an error.
func (n node) refuseAliases() bool {
	if n.Kind == yaml.AliasNode {
		n.problem("YAML aliases (*name) are not supported", "write the value out")
		return false
	}
	fine := true
	for _, child := range n.Content {
		fine = node{Node: child, doc: n.doc}.refuseAliases() && fine
	}
	return fine
}

func (d *document) syntaxProblem(err error) {
	problem := Problem{File: d.file, Line: 1, Column: 1, Text: "not YAML: " + err.Error()}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		problem.Line, problem.Column = max(load.Mark.Line, 1), max(load.Mark.Column, 1)
		problem.Text = "not YAML: " + load.Message
	}
	d.problems.add(problem)
}

// snippet is the line and a caret below the column.
func (d *document) snippet(line, column int) string {
	if line < 1 || line > len(d.lines) || d.hidden[line] {
		return ""
	}
	text := strings.TrimRight(strings.ReplaceAll(d.lines[line-1], "\t", " "), "\r")
	return text + "\n" + strings.Repeat(" ", max(column-1, 0)) + "^"
}

// problem notes that this place is wrong.
func (n node) problem(text, hint string) { n.problemAt(n.Line, n.Column, text, hint) }

// problemAt is problem for a place inside the node, such as one word of a rule.
func (n node) problemAt(line, column int, text, hint string) {
	n.doc.problems.add(Problem{
		File: n.doc.file, Line: line, Column: column, Path: n.path,
		Text: text, Hint: hint, Snippet: n.doc.snippet(line, column),
	})
}

// is reports whether the node has the kind, and notes a problem if not.
func (n node) is(kind yaml.Kind, want string) bool {
	if n.Kind == kind {
		return true
	}
	n.problem(fmt.Sprintf("found %s where %s belongs", n.kindName(), want), "")
	return false
}

func (n node) kindName() string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping (key: value)"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	default:
		return "a single value"
	}
}

// text returns a scalar as it is written.
func (n node) text() (string, bool) {
	if !n.is(yaml.ScalarNode, "a text") {
		return "", false
	}
	if n.Tag == "!!null" {
		n.problem("has no value", "")
		return "", false
	}
	return n.Value, true
}

// block reports whether the text begins on the line after | or >.
func (n node) block() bool { return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// boolean reads true or false and nothing else.
func (n node) boolean() bool {
	if n.Kind == yaml.ScalarNode && (n.Value == "true" || n.Value == "false") {
		return n.Value == "true"
	}
	n.problem("must be true or false", "")
	return false
}

// items returns the elements of a list, or the node itself if it is none:
// most keys take one value or a list of them.
func (n node) items() []node {
	if n.Kind != yaml.SequenceNode {
		return []node{n}
	}
	items := make([]node, len(n.Content))
	for i, item := range n.Content {
		items[i] = node{Node: item, doc: n.doc, path: fmt.Sprintf("%s[%d]", n.path, i)}
	}
	return items
}
