package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// table is what one part of the benchmark has found.
type table struct {
	// name marks its place in docs/performance.md.
	name string
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var text strings.Builder
	line := func(cells []string) { text.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	text.WriteString("|" + strings.Repeat(" --- |", len(t.head)) + "\n")
	for _, row := range t.rows {
		line(row)
	}
	return text.String()
}

func (t *table) print(w io.Writer) { _, _ = fmt.Fprintf(w, "\n%s\n\n%s", t.name, t) }

// marks stand before and after a table in a page.
func (t *table) marks() (begin, end string) {
	return "<!-- bench: " + t.name + " -->\n", "<!-- /bench: " + t.name + " -->"
}

// into puts tables in place of those that a page has.
func into(file string, tables []*table) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	page := string(text)
	for _, t := range tables {
		begin, end := t.marks()
		before, rest, found := strings.Cut(page, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			return fmt.Errorf("%s has no place for the table %q: write %s and %s where it belongs", file, t.name, strings.TrimSpace(begin), end)
		}
		page = before + begin + t.String() + end + after
	}
	return os.WriteFile(file, []byte(page), 0o644)
}

// median of values, which it sorts.
func median[T int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func perSecond(v float64) string { return fmt.Sprintf("%.0f", v) }

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func megabytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
