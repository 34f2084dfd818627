package payload

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PathError is a path that cannot be read.
type PathError struct {
	Path string
	// Column is where reading stopped, in characters, from 1.
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

// ParsePath reads a path; see Path for how they are written. The error is a
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

// pathParser reads from left to right; pos is the next byte.
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

// path reads as many steps as there are, and stops before anything else.
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
		steps = append(steps, s)
	}
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

// quoted reads "…", in which \" and \\ stand for " and \.
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

// bracket reads [*], [0], [-1] or [path=text].
func (p *pathParser) bracket() (step, error) {
	p.pos++
	start := p.pos
	if p.next() == '*' {
		p.pos++
		return step{kind: every}, p.closing()
	}
	p.skip(func(r rune) bool { return r == '-' || r >= '0' && r <= '9' })
	if p.next() != ']' {
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
	name := p.text[start:p.pos]
	if p.next() != '=' {
		return step{}, p.fail("expected =", "an item is picked by list[key=text], the member of an object by object.key")
	}
	p.pos++
	found := step{kind: match, where: Path{text: name, steps: where}}
	if p.next() == '{' {
		found.same, err = p.reference()
	} else {
		found.equal, err = p.operand()
	}
	if err != nil {
		return step{}, err
	}
	return found, p.closing()
}

// reference reads {path}.
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
