package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

func TestTablesAreReplacedBetweenTheirMarks(t *testing.T) {
	t.Parallel()
	one := &table{name: "one", head: []string{"a", "b"}}
	one.add("1", "2 ms")
	got, err := replaceTables("before\n<!-- bench: one -->\nold\n<!-- /bench: one -->\nafter\n", []*table{one})
	const want = "before\n<!-- bench: one -->\n| a | b |\n| --- | --- |\n| 1 | 2 ms |\n<!-- /bench: one -->\nafter\n"
	if err != nil || got != want {
		t.Errorf("error %v, page\n%s", err, got)
	}
	for _, page := range []string{"", "<!-- bench: one -->\n", "<!-- /bench: one -->", "<!-- bench: two -->\n<!-- /bench: two -->"} {
		if _, err := replaceTables(page, []*table{one}); err == nil || !strings.Contains(err.Error(), `"one"`) {
			t.Errorf("page %q: error %v", page, err)
		}
	}
}

func page(t *testing.T) string { return testkit.Read(t, "docs/performance.md") }

func TestPageHasATableForEachPart(t *testing.T) {
	t.Parallel()
	for _, p := range parts {
		empty := &table{name: p.name, head: p.head}
		begin, end := empty.marks()
		_, rest, found := strings.Cut(page(t), begin)
		text, _, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Errorf("the page has no place for %s", p.name)
			continue
		}
		if text != "" && !strings.HasPrefix(text, empty.String()) {
			t.Errorf("%s differs from what the part prints: run it again\n%s", p.name, text)
		}
	}
	for _, m := range regexp.MustCompile(`<!-- /?bench: (\S+) -->`).FindAllStringSubmatch(page(t), -1) {
		if !slices.Contains(names(), m[1]) {
			t.Errorf("the page has a table %s without a part", m[1])
		}
	}
}

// Every figure in the page must come from a run of the program.
func TestPageHasFiguresOnlyInTables(t *testing.T) {
	t.Parallel()
	figure := regexp.MustCompile(`(?i)\d\s*(ns|µs|us|ms|s|seconds?|minutes?|[kmg]i?b|bytes?|×|x|%|times|/s|a second|per second)(\W|$)`)
	for _, is := range []string{"12 ms", "3×", "1.2 KB", "5000/s", "80 MB.", "2 s", "0.75 times"} {
		if !figure.MatchString(is) {
			t.Errorf("%q is not recognised as a figure", is)
		}
	}
	tables := regexp.MustCompile(`(?s)<!-- bench: .*?<!-- /bench: \S+ -->`)
	for _, line := range strings.Split(tables.ReplaceAllString(page(t), ""), "\n") {
		if found := figure.FindString(line); found != "" {
			t.Errorf("%q is outside the tables: %s", strings.TrimSpace(found), line)
		}
	}
}
