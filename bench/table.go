package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is the result of one part.
type table struct {
	// name identifies its place in docs/performance.md.
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

// marks returns the comments before and after a table in a page.
func (t *table) marks() (begin, end string) {
	return "<!-- bench: " + t.name + " -->\n", "<!-- /bench: " + t.name + " -->"
}

// replaceTables replaces the tables of a page.
func replaceTables(page string, tables []*table) (string, error) {
	for _, t := range tables {
		begin, end := t.marks()
		before, rest, found := strings.Cut(page, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			return "", fmt.Errorf("no place for the table %q: write %s and %s where it belongs", t.name, strings.TrimSpace(begin), end)
		}
		page = before + begin + t.String() + end + after
	}
	return page, nil
}

// updatedPage returns the page in a file with its tables replaced; "" without a file.
func updatedPage(file string, tables []*table) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read page: %w", err)
	}
	page, err := replaceTables(string(text), tables)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return page, nil
}

// quantile returns a quantile of values, which it sorts; 0 if there are none.
func quantile[T cmp.Ordered](of []T, q float64) (none T) {
	if len(of) == 0 {
		return none
	}
	slices.Sort(of)
	return of[min(int(q*float64(len(of))), len(of)-1)]
}

// medianRound returns the round whose value is the median.
func medianRound[T any](rounds []T, value func(T) float64) T {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b T) int { return cmp.Compare(value(a), value(b)) })
	return sorted[len(sorted)/2]
}

// unknown is the cell of a value that does not exist or cannot be measured.
const unknown = "–"

func perSecond(v float64) string { return fmt.Sprintf("%.0f", v) }

func ratio[T ~int64 | float64](v, of T) string {
	if of == 0 {
		return unknown
	}
	return fmt.Sprintf("%.2f", float64(v)/float64(of))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f µs", float64(d.Nanoseconds())/1000)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// processor formats a processor time; 0 means that it could not be measured.
func processor(d time.Duration, format func(time.Duration) string) string {
	if d == 0 {
		return unknown
	}
	return format(d)
}

func megabytes(n int64) string {
	if n == 0 {
		return unknown
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
