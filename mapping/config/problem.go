package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one fault of a configuration, with its position.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1, Column in characters. Zero means the
	// whole file.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path is the key: routes[0].call.campaign_id.
	Path string `json:"path,omitempty"`
	Text string `json:"text"`
	// Hint says what to write instead. May be empty.
	Hint string `json:"hint,omitempty"`
	// Snippet is the line with a caret under the column: two lines of text.
	// It is empty where the line may contain a secret.
	Snippet string `json:"snippet,omitempty"`
}

// Error is "file:line:column: path: text; hint", the form that editors and CI
// logs turn into a link.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems are all faults of a configuration, in the order of the file. It is the
// error of mapping.Load and mapping.Parse.
type Problems []Problem

// Error writes one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems, each an error of its own.
func (p Problems) Unwrap() []error {
	each := make([]error, len(p))
	for i, problem := range p {
		each[i] = problem
	}
	return each
}

// add appends a problem once: a route of two sources is checked for each of
// them and finds the same fault again.
func (p *Problems) add(problem Problem) {
	if !slices.Contains(*p, problem) {
		*p = append(*p, problem)
	}
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return p
}

// once removes repetitions of problems with these texts.
func (p Problems) once(texts map[string]bool) Problems {
	seen := map[string]bool{}
	return slices.DeleteFunc(p, func(problem Problem) bool {
		repeated := seen[problem.Text]
		seen[problem.Text] = texts[problem.Text]
		return repeated
	})
}

// Suggest returns `did you mean "x"?` for the known name that is most like
// name, or "" where none is like it.
func Suggest(name string, known []string) string {
	best, distance := "", len(name)/3+2
	for _, candidate := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// SuggestField is Suggest for the name of a field. Where none is like it, it says how to
// declare one.
func SuggestField(name string, known []string) string {
	if hint := Suggest(name, known); hint != "" {
		return hint
	}
	return "declare it under fields: of the source"
}

// editDistance is the optimal string alignment distance: how many letters have
// to be inserted, deleted, replaced or swapped with the next one.
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
