package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// document is one YAML file: callbridge.yaml, a preset or golden cases.
type document struct {
	file   string
	root   yaml.Node
	lines  []string
	reader *Reader
	// hidden are the lines that may contain a secret: no problem quotes them.
	hidden map[int]bool
}

// Node is one value of a document with its position. Values stay nodes until
// they are used, so that every problem has a line and a column. Texts are taken
// as written, since YAML would read +4917… and 01234 as numbers.
type Node struct {
	yaml *yaml.Node
	doc  *document
	path string
}

// Document reads the YAML document in data and returns its topmost value. Whatever
// is wrong with it becomes a problem of the reader. Needs says what the file has to
// contain, for the hint to an empty one.
func (r *Reader) Document(file string, data []byte, needs string) (Node, bool) {
	r.hash.Write(data)
	doc := &document{
		file: file, lines: strings.Split(string(data), "\n"), reader: r, hidden: map[int]bool{},
	}
	if strings.TrimSpace(string(data)) == "" {
		r.problems.add(Problem{File: file, Text: "the file is empty", Hint: "it needs " + needs})
		return Node{}, false
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	var second yaml.Node
	if err == nil {
		err = loader.Load(&doc.root)
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(doc.root.Content) == 0:
		r.problems.add(Problem{File: file, Text: "the file contains only comments", Hint: "it needs " + needs})
		return Node{}, false
	case err != nil:
		doc.syntaxProblem(err)
		return Node{}, false
	}
	root := Node{yaml: doc.root.Content[0], doc: doc}
	if err := loader.Load(&second); err == nil {
		Node{yaml: &second, doc: doc}.Problem("more than one YAML document", "remove the line with ---")
		return root, false
	} else if !errors.Is(err, io.EOF) {
		doc.syntaxProblem(err)
		return root, false
	}
	root.hideSecrets(false)
	return root, root.refuseAliases()
}

// hideSecrets notes the lines below keys that hold secrets: a secret may be
// written there by mistake.
func (n Node) hideSecrets(secret bool) {
	if secret {
		lines := strings.Count(n.yaml.Value, "\n") + 1
		if n.IsBlock() {
			lines++ // the line with | or >
		}
		for line := range lines {
			n.doc.hidden[n.yaml.Line+line] = true
		}
	}
	for i, child := range n.yaml.Content {
		named := n.yaml.Kind == yaml.MappingNode && i%2 == 1 &&
			(isSecretKey(n.yaml.Content[i-1].Value) || n.yaml.Content[i-1].Value == "auth")
		Node{yaml: child, doc: n.doc}.hideSecrets(secret || named)
	}
}

// refuseAliases refuses YAML aliases: a secret could hide in the anchor's value,
// and a problem would have two positions.
func (n Node) refuseAliases() bool {
	if n.yaml.Kind == yaml.AliasNode {
		n.Problem("YAML aliases (*name) are not supported", "write the value out")
		return false
	}
	fine := true
	for i, child := range n.yaml.Content {
		path := n.path
		switch {
		case n.yaml.Kind == yaml.SequenceNode:
			path = fmt.Sprintf("%s[%d]", n.path, i)
		case i%2 == 1:
			path = join(n.path, n.yaml.Content[i-1].Value)
		}
		fine = Node{yaml: child, doc: n.doc, path: path}.refuseAliases() && fine
	}
	return fine
}

// YAML returns the parsed value: for callbridge test --update, which changes it
// and writes the file again.
func (n Node) YAML() *yaml.Node { return n.yaml }

// Root returns the document of the value, with the comments at its beginning and
// end.
func (n Node) Root() *yaml.Node { return &n.doc.root }

func (d *document) syntaxProblem(err error) {
	problem := Problem{File: d.file, Line: 1, Column: 1, Text: "not YAML: " + err.Error()}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		problem.Line, problem.Column = max(load.Mark.Line, 1), max(load.Mark.Column, 1)
		problem.Text = "not YAML: " + load.Message
		if problem.Line <= len(d.lines) {
			problem.Hint = quoteHint(d.lines[problem.Line-1], problem.Column)
		}
	}
	d.reader.problems.add(problem)
}

// snippet is the line and a caret below the column.
func (d *document) snippet(line, column int) string {
	if line < 1 || line > len(d.lines) || d.hidden[line] {
		return ""
	}
	text := strings.TrimRight(strings.ReplaceAll(d.lines[line-1], "\t", " "), "\r")
	return text + "\n" + strings.Repeat(" ", max(column-1, 0)) + "^"
}

// Problem reports that the value is wrong. Hint says what to write instead; it
// may be empty.
func (n Node) Problem(text, hint string) { n.problemAt(n.yaml.Line, n.yaml.Column, text, hint) }

// ProblemAt is Problem for one character of the value's text, counted from 0.
func (n Node) ProblemAt(offset int, text, hint string) {
	line, column := n.locate(offset)
	n.problemAt(line, column, text, hint)
}

// ProblemOf returns a problem of the value that is not one of its file alone.
func (n Node) ProblemOf(text, hint string) Problem {
	return n.problemOf(n.yaml.Line, n.yaml.Column, text, hint)
}

func (n Node) problemOf(line, column int, text, hint string) Problem {
	return Problem{
		File: n.doc.file, Line: line, Column: column, Path: n.path,
		Text: text, Hint: hint, Snippet: n.doc.snippet(line, column),
	}
}

func (n Node) problemAt(line, column int, text, hint string) {
	n.doc.reader.problems.add(n.problemOf(line, column, text, hint))
}

// Warn reports that the value is allowed, but probably not meant.
func (n Node) Warn(text, hint string) {
	n.doc.reader.warnings.add(Problem{
		File: n.doc.file, Line: n.yaml.Line, Column: n.yaml.Column, Path: n.path, Text: text, Hint: hint,
	})
}

// Position is where the value is: the file, and the line from 1 on.
func (n Node) Position() (file string, line int) { return n.doc.file, n.yaml.Line }

// Problems is how many problems the configuration has so far.
func (n Node) Problems() int { return len(n.doc.reader.problems) }

// SameFile reports whether both values are of the same file.
func (n Node) SameFile(as Node) bool { return n.doc == as.doc }

// locate returns the position of a character of the value's text in the file.
// The file also has quotes, escapes, folded lines and indentation, but it has
// the characters of the text in the same order: so both are walked together.
func (n Node) locate(offset int) (line, column int) {
	line, column = n.yaml.Line, n.yaml.Column
	rest := []rune(strings.Join(n.doc.lines[min(line-1, len(n.doc.lines)):], "\n"))
	at := min(column-1, len(rest))
	switch {
	case n.IsBlock():
		for at < len(rest) && rest[at] != '\n' {
			at++ // the line with | or > has no text
		}
	case n.yaml.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at++
	}
	whole := []rune(n.yaml.Value)
	before := whole[:min(offset, len(whole))]
	for _, r := range before {
		if unicode.IsSpace(r) {
			continue
		}
		for at < len(rest) && rest[at] != r {
			at++
		}
		at++
	}
	for at < len(rest) && unicode.IsSpace(rest[at]) && len(before) < len(whole) {
		at++
	}
	for _, r := range rest[:min(at, len(rest))] {
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	if line == n.yaml.Line {
		column = at + 1
	}
	return line, column
}

// IsBlock reports whether the text begins on the line after | or >.
func (n Node) IsBlock() bool { return n.yaml.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// Kind is what a value is in YAML.
type Kind int

// Kinds of values. Number and Bool are texts too: YAML only guesses from how
// they are written.
const (
	Null Kind = iota
	Text
	Number
	Bool
	List
	Mapping
)

// Kind returns what the value is in YAML.
func (n Node) Kind() Kind {
	switch {
	case n.yaml.Kind == yaml.MappingNode:
		return Mapping
	case n.yaml.Kind == yaml.SequenceNode:
		return List
	case n.yaml.Tag == "!!null":
		return Null
	case n.yaml.Tag == "!!bool":
		return Bool
	case n.yaml.Tag == "!!int" || n.yaml.Tag == "!!float":
		return Number
	default:
		return Text
	}
}

var kindNames = map[Kind]string{
	Mapping: "a mapping (key: value)", List: "a list", Null: "nothing",
	Text: "a single value", Number: "a single value", Bool: "a single value",
}

func (n Node) wrongKind(want string) {
	n.Problem(fmt.Sprintf("found %s where %s belongs", kindNames[n.Kind()], want), "")
}

// Raw returns a single value exactly as written, "" for lists and mappings.
func (n Node) Raw() string { return n.yaml.Value }

// CustomTag returns a YAML tag such as !consent, "" where there is none.
func (n Node) CustomTag() string {
	if tag := n.yaml.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		return tag
	}
	return ""
}

// Text returns a single value as written.
func (n Node) Text() (string, bool) {
	switch n.Kind() {
	case List, Mapping:
		n.wrongKind("a text")
		return "", false
	case Null:
		n.Problem("has no value", "")
		return "", false
	}
	return n.yaml.Value, true
}

// PlainText returns the text of a key that takes no secret. It refuses ${…},
// which would otherwise go literally to a CRM or into a call.
func (n Node) PlainText() string {
	text, ok := n.Text()
	if ok && HasReference(text) {
		n.Problem("${…} is only for secrets", "write the value itself")
	}
	return text
}

// PlainTexts is PlainText for a text or a list of texts.
func (n Node) PlainTexts() []string {
	var texts []string
	for _, item := range n.Items() {
		texts = append(texts, item.PlainText())
	}
	return texts
}

// OneOf returns a text that must be one of these, "" for any other.
func (n Node) OneOf(allowed []string) string {
	text, ok := n.Text()
	if !ok || slices.Contains(allowed, text) {
		return text
	}
	hint := Suggest(text, allowed)
	if hint == "" {
		hint = "write " + strings.Join(allowed, ", ")
	}
	n.Problem(strconv.Quote(text)+" is not allowed here", hint)
	return ""
}

// Bool returns true for true. Everything but true and false is a problem.
func (n Node) Bool() bool {
	if n.yaml.Kind == yaml.ScalarNode && (n.yaml.Value == "true" || n.yaml.Value == "false") {
		return n.yaml.Value == "true"
	}
	n.Problem("must be true or false", "")
	return false
}

// Count returns a whole number above 0.
func (n Node) Count(hint string) int {
	count, err := strconv.Atoi(n.PlainText())
	if err != nil || count < 1 {
		n.Problem("must be a number above 0", hint)
	}
	return count
}

// Number returns a number above 0 and up to most.
func (n Node) Number(most float64) float64 {
	number, err := strconv.ParseFloat(n.PlainText(), 64)
	if err != nil || !(number > 0 && number <= most) {
		n.Problem(fmt.Sprintf("must be a number above 0 and up to %g", most), "")
	}
	return number
}

// Duration returns a duration above 0 and up to most; most 0 means no limit.
func (n Node) Duration(most time.Duration, hint string) time.Duration {
	d, err := time.ParseDuration(n.PlainText())
	switch {
	case err == nil && d > 0 && (most == 0 || d <= most):
	case most == 0:
		n.Problem("must be a duration above 0", hint)
	default:
		n.Problem("must be a duration above 0 and up to "+most.String(), hint)
	}
	return d
}

// Items returns the elements of a list, or the node itself if it is not a list: most
// keys take one value or a list of them.
func (n Node) Items() []Node {
	if n.yaml.Kind != yaml.SequenceNode {
		return []Node{n}
	}
	items := make([]Node, len(n.yaml.Content))
	for i, item := range n.yaml.Content {
		items[i] = Node{yaml: item, doc: n.doc, path: fmt.Sprintf("%s[%d]", n.path, i)}
	}
	return items
}

// List is Items for a key that takes nothing but a list.
func (n Node) List(want string) ([]Node, bool) {
	if n.Kind() != List {
		n.wrongKind(want)
		return nil, false
	}
	return n.Items(), true
}

// Object is a mapping of YAML.
type Object struct {
	// At is the mapping itself, for problems such as a missing key.
	At Node
	// Keys are in the order of the file.
	Keys   []string
	values map[string]Node
	names  map[string]Node
	// table are the keys that may be here, if they are known.
	table []Key
}

// Object reads a mapping with any keys. A repeated key is a problem: YAML would
// silently take the last one.
func (n Node) Object() (Object, bool) {
	if n.Kind() != Mapping {
		n.wrongKind("a mapping (key: value)")
		return Object{}, false
	}
	o := Object{At: n, values: map[string]Node{}, names: map[string]Node{}}
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		name := Node{yaml: n.yaml.Content[i], doc: n.doc, path: n.path}
		key, ok := name.Text()
		if !ok {
			continue
		}
		if _, repeated := o.values[key]; repeated {
			name.Problem("the key "+strconv.Quote(key)+" is repeated", "")
			continue
		}
		o.Keys = append(o.Keys, key)
		o.names[key] = name
		o.values[key] = Node{yaml: n.yaml.Content[i+1], doc: n.doc, path: join(n.path, key)}
	}
	return o, true
}

// Known reads a mapping that may have only the keys of a table.
func (n Node) Known(table []Key) (Object, bool) {
	o, ok := n.Object()
	o.table = table
	names := keyNames(table)
	for _, key := range o.Keys {
		if slices.Contains(names, key) {
			continue
		}
		if instead, is := replaced(table, key); is {
			o.names[key].Problem(strconv.Quote(key)+" is not read any more", "write "+instead)
			continue
		}
		o.names[key].Problem("unknown key "+strconv.Quote(key), Suggest(key, names))
	}
	return o, ok
}

// IsZero reports whether there was no mapping to read.
func (o Object) IsZero() bool { return o.At.yaml == nil }

// Get returns the value of a key, if the mapping has it.
func (o Object) Get(key string) (Node, bool) {
	n, ok := o.values[key]
	return n, ok
}

// Value returns the value of one of Keys.
func (o Object) Value(key string) Node { return o.values[key] }

// Name returns one of Keys itself, for problems with the name.
func (o Object) Name(key string) Node { return o.names[key] }

// OneOf returns the text of a key whose table lists the values that it may
// have. It is "" where the key is missing or has another value.
func (o Object) OneOf(key string) string {
	i := slices.IndexFunc(o.table, func(k Key) bool { return k.Name == key })
	n, ok := o.values[key]
	if !ok || i < 0 {
		return ""
	}
	return n.OneOf(o.table[i].Values)
}

// With returns the object with the value of one key replaced.
func (o Object) With(key string, value Node) Object {
	return o.Overlay(Object{
		At: o.At, Keys: []string{key}, table: o.table,
		values: map[string]Node{key: value}, names: map[string]Node{key: value},
	})
}

// Overlay returns o with the keys of over in place of its own.
func (o Object) Overlay(over Object) Object {
	merged := Object{
		At: over.At, Keys: slices.Clone(o.Keys), table: over.table,
		values: maps.Clone(o.values), names: maps.Clone(o.names),
	}
	for _, key := range over.Keys {
		if _, present := merged.values[key]; !present {
			merged.Keys = append(merged.Keys, key)
		}
		merged.values[key], merged.names[key] = over.values[key], over.names[key]
	}
	return merged
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
