package payload

import (
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path names a place in a tree. The zero Path is the tree itself.
//
//	contact.phone                    the member of a member
//	contact."First Name"             a key with other characters than letters,
//	                                 digits and _ - @ : # $
//	phones[0].value, phones[-1]      the first item of a list, and the last
//	phones[type=mobile].value        the first item whose type is mobile
//	answers[field.ref="my phone"]    the same with a path and a quoted text
//	phones[id={main}].value          the same with the value at another path
//	                                 of the tree
//	phones[label!~fax].value         the first item whose label does not contain
//	                                 fax, in any case, or that has no label
//	tags[*]                          every item, for All
//	form_fields[phone]               a key of a form: the key as it is written, or the
//	                                 member of a member
//
// Brackets treat any other value as a list of one item: XML does not distinguish
// the two, and some senders write a single item without its list.
type Path struct {
	text  string
	steps []step
}

type step struct {
	kind  stepKind
	key   string // member
	index int    // item
	// match: the first item in which the value at where is equal, or has the
	// same text as the value at the path reference of the whole tree.
	where     []step
	equal     string
	reference []step
	// formKey: the members that key, form_fields[phone], leads through.
	inner []string
	// lacks: the value at where does not contain equal, which is in lower case.
	lacks bool
}

type stepKind int

const (
	member stepKind = iota
	item
	match
	every
	formKey
)

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Lookup returns the value at p, the first one where p has [*]. It also finds a
// null; see Present.
func (p Path) Lookup(tree Value) (Value, bool) {
	return walk{tree}.first(p.steps, tree)
}

// All returns the values at p: as many as its [*] find, one or none without.
func (p Path) All(tree Value) []Value {
	var found []Value
	walk{tree}.each(p.steps, tree, func(v Value) { found = append(found, v) })
	return found
}

// walk follows the steps of a path through a tree. References start at its top.
type walk struct{ top Value }

func (w walk) first(steps []step, v Value) (Value, bool) {
	for i := range steps {
		if steps[i].kind == every {
			return w.firstOfEvery(steps[i+1:], v)
		}
		var ok bool
		if v, ok = w.step(&steps[i], v); !ok {
			return nil, false
		}
	}
	return v, true
}

func (w walk) firstOfEvery(rest []step, v Value) (Value, bool) {
	list, ok := v.([]any)
	if !ok {
		return w.first(rest, v)
	}
	for _, inner := range list {
		if found, ok := w.first(rest, inner); ok {
			return found, true
		}
	}
	return nil, false
}

func (w walk) each(steps []step, v Value, found func(Value)) {
	for i := range steps {
		if steps[i].kind == every {
			w.eachOfEvery(steps[i+1:], v, found)
			return
		}
		var ok bool
		if v, ok = w.step(&steps[i], v); !ok {
			return
		}
	}
	found(v)
}

func (w walk) eachOfEvery(rest []step, v Value, found func(Value)) {
	list, ok := v.([]any)
	if !ok {
		w.each(rest, v, found)
		return
	}
	for _, inner := range list {
		w.each(rest, inner, found)
	}
}

// step takes one step other than [*].
func (w walk) step(s *step, v Value) (Value, bool) {
	if s.kind == member {
		object, _ := v.(map[string]any)
		found, ok := object[s.key]
		return found, ok
	}
	if s.kind == formKey {
		return s.formValue(v)
	}
	list, isList := v.([]any)
	switch {
	case s.kind == match && isList:
		for _, inner := range list {
			if w.matches(s, inner) {
				return inner, true
			}
		}
		return nil, false
	case s.kind == match:
		return v, w.matches(s, v)
	case !isList:
		return v, s.index == 0 || s.index == -1
	}
	i := s.index
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// formValue returns the value of a form's key: JSON may have it as it is written, and
// decodeForm divides it into members.
func (s *step) formValue(v Value) (Value, bool) {
	object, _ := v.(map[string]any)
	if found, ok := object[s.key]; ok {
		return found, true
	}
	for i, key := range s.inner {
		found, ok := object[key]
		if !ok || i == len(s.inner)-1 {
			return found, ok
		}
		object, _ = found.(map[string]any)
	}
	return nil, false
}

// matches compares as text, so that [id=5] finds 5 and "5", and [primary=true]
// finds true and "true".
func (w walk) matches(s *step, v Value) bool {
	equal := s.equal
	if s.reference != nil {
		referred, _ := w.first(s.reference, w.top)
		text, ok := Text(referred)
		if !ok {
			return false
		}
		equal = text
	}
	found, _ := w.first(s.where, v)
	text, ok := Text(found)
	if s.lacks {
		return !ok || !strings.Contains(strings.ToLower(text), equal)
	}
	return ok && text == equal
}

// Text returns a single value as text. Objects, lists and null have none.
func Text(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case stdjson.Number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// PathError is a path that cannot be parsed.
type PathError struct {
	Path string
	// Column is the place of the problem, in characters, from 1.
	Column  int
	Problem string
	// Hint says what to write instead. May be empty.
	Hint string
}

// Error returns the path, the column, the problem and the hint.
func (e *PathError) Error() string {
	text := fmt.Sprintf("path %q: column %d: %s", e.Path, e.Column, e.Problem)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// ParsePath parses the text of a path, as Path describes it. The error is a
// *PathError.
func ParsePath(text string) (Path, error) {
	p := pathParser{text: text}
	steps, err := p.path()
	if err != nil {
		return Path{}, err
	}
	if p.pos < len(text) {
		return Path{}, p.fail("expected . or [ or the end", "a key with other characters goes in quotes: \"First Name\"")
	}
	return Path{text: text, steps: steps}, nil
}

// pathParser parses from left to right; pos is the next byte.
type pathParser struct {
	text string
	pos  int
}

func (p *pathParser) fail(problem, hint string) error {
	column := utf8.RuneCountInString(p.text[:p.pos]) + 1
	return &PathError{Path: p.text, Column: column, Problem: problem, Hint: hint}
}

func (p *pathParser) next() byte {
	if p.pos >= len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

// path parses steps until a character that begins none.
func (p *pathParser) path() ([]step, error) {
	var steps []step
	for {
		var s step
		var err error
		switch {
		case p.next() == '[':
			s, err = p.bracket()
		case len(steps) == 0:
			s, err = p.member()
		case p.next() == '.':
			p.pos++
			s, err = p.member()
		default:
			return steps, nil
		}
		if err != nil {
			return nil, err
		}
		if last := len(steps) - 1; s.kind == formKey && last >= 0 && (steps[last].kind == member || steps[last].kind == formKey) {
			steps[last] = steps[last].joined(s.key)
			continue
		}
		if s.kind == formKey {
			s.kind = member
		}
		steps = append(steps, s)
	}
}

// joined is the step of a form's key with one more part in brackets.
func (s step) joined(key string) step {
	if s.kind == member {
		s.inner = []string{s.key}
	}
	return step{kind: formKey, key: s.key + "[" + key + "]", inner: append(slices.Clone(s.inner), key)}
}

func (p *pathParser) member() (step, error) {
	if p.next() == '"' {
		key, err := p.quoted()
		return step{kind: member, key: key}, err
	}
	start := p.pos
	p.skip(isKeyRune)
	if p.pos > start {
		return step{kind: member, key: p.text[start:p.pos]}, nil
	}
	if p.pos == len(p.text) {
		return step{}, p.fail("the path ends where a key should be", "")
	}
	return step{}, p.fail("expected a key", "an item of a list is written list[0]; a key with other characters goes in quotes: \"First Name\"")
}

func (p *pathParser) skip(accept func(rune) bool) {
	for p.pos < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.pos:])
		if r == utf8.RuneError && size == 1 || !accept(r) {
			return
		}
		p.pos += size
	}
}

func isKeyRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("_-@:#$", r)
}

// quoted parses "…", with the escapes \" and \\.
func (p *pathParser) quoted() (string, error) {
	var b strings.Builder
	start := p.pos
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case '"':
			p.pos++
			return b.String(), nil
		case '\\':
			p.pos++
			if p.next() != '"' && p.next() != '\\' {
				p.pos--
				return "", p.fail(`\ stands before " and \ only`, `a \ itself is written \\`)
			}
			b.WriteByte(p.next())
		default:
			b.WriteByte(c)
		}
	}
	p.pos = start
	return "", p.fail("the quote is not closed", "")
}

// bracket parses [*], [0], [-1], [key] or [path=text].
func (p *pathParser) bracket() (step, error) {
	p.pos++
	start := p.pos
	if p.next() == '*' {
		p.pos++
		return step{kind: every}, p.closing()
	}
	p.skip(func(r rune) bool { return r == '-' || r >= '0' && r <= '9' })
	if p.next() != ']' {
		p.skip(func(r rune) bool { return isKeyRune(r) && r != ':' || r == ' ' })
		if key := p.text[start:p.pos]; p.next() == ']' && strings.TrimSpace(key) == key {
			p.pos++
			return step{kind: formKey, key: key}, nil
		}
		p.pos = start
		return p.match()
	}
	index, err := strconv.Atoi(p.text[start:p.pos])
	if err != nil {
		p.pos = start
		return step{}, p.fail("expected a position, * or key=text", "")
	}
	return step{kind: item, index: index}, p.closing()
}

func (p *pathParser) match() (step, error) {
	start := p.pos
	where, err := p.path()
	if err != nil {
		return step{}, err
	}
	for _, s := range where {
		if s.kind == every {
			p.pos = start
			return step{}, p.fail("[*] cannot stand inside of brackets", "")
		}
	}
	found := step{kind: match, where: where}
	if strings.HasPrefix(p.text[p.pos:], "!~") {
		p.pos += len("!~")
		text, err := p.operand()
		if err != nil {
			return step{}, err
		}
		found.lacks, found.equal = true, strings.ToLower(text)
		return found, p.closing()
	}
	if p.next() != '=' {
		return step{}, p.fail("expected =", "an item is picked by list[key=text], the member of an object by object.key")
	}
	p.pos++
	if p.next() == '{' {
		found.reference, err = p.reference()
	} else {
		found.equal, err = p.operand()
	}
	if err != nil {
		return step{}, err
	}
	return found, p.closing()
}

// reference parses {path}.
func (p *pathParser) reference() ([]step, error) {
	p.pos++
	start := p.pos
	steps, err := p.path()
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if s.kind == every {
			p.pos = start
			return nil, p.fail("[*] cannot stand inside of brackets", "")
		}
	}
	if p.next() != '}' {
		return nil, p.fail("expected }", "")
	}
	p.pos++
	return steps, nil
}

func (p *pathParser) operand() (string, error) {
	if p.next() == '"' {
		return p.quoted()
	}
	start := p.pos
	p.skip(func(r rune) bool { return isKeyRune(r) || r == '.' || r == '+' || r == '/' })
	if p.pos == start {
		return "", p.fail("expected a text after =", "a text with other characters goes in quotes: [type=\"Work phone\"]")
	}
	return p.text[start:p.pos], nil
}

func (p *pathParser) closing() error {
	if p.next() != ']' {
		return p.fail("expected ]", "a text with other characters than letters and digits goes in quotes: [type=\"Work phone\"]")
	}
	p.pos++
	return nil
}
