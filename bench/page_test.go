package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestTablesGoBetweenTheirMarks(t *testing.T) {
	t.Parallel()
	one := &table{name: "one", head: []string{"a", "b"}}
	one.add("1", "2 ms")
	got, err := into("before\n<!-- bench: one -->\nold\n<!-- /bench: one -->\nafter\n", []*table{one})
	const want = "before\n<!-- bench: one -->\n| a | b |\n| --- | --- |\n| 1 | 2 ms |\n<!-- /bench: one -->\nafter\n"
	if err != nil || got != want {
		t.Errorf("error %v, page\n%s", err, got)
	}
	for _, page := range []string{"", "<!-- bench: one -->\n", "<!-- /bench: one -->", "<!-- bench: two -->\n<!-- /bench: two -->"} {
		if _, err := into(page, []*table{one}); err == nil || !strings.Contains(err.Error(), `"one"`) {
			t.Errorf("page %q: error %v", page, err)
		}
	}
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryPartHasItsPlaceInThePage(t *testing.T) {
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
			t.Errorf("%s is not what the part prints today: run it again\n%s", p.name, text)
		}
	}
	for _, m := range regexp.MustCompile(`<!-- /?bench: (\S+) -->`).FindAllStringSubmatch(page(t), -1) {
		if !slices.Contains(names(), m[1]) {
			t.Errorf("the page has a table %s, and there is no such part", m[1])
		}
	}
}

// TestFiguresStandInTablesOnly: what is measured is printed by the program, or
// it is not in the page.
func TestFiguresStandInTablesOnly(t *testing.T) {
	t.Parallel()
	figure := regexp.MustCompile(`(?i)\d\s*(ns|µs|us|ms|s|seconds?|minutes?|[kmg]i?b|bytes?|×|x|%|times|/s|a second|per second)(\W|$)`)
	for _, is := range []string{"12 ms", "3×", "1.2 KB", "5000/s", "80 MB.", "2 s", "0.75 times"} {
		if !figure.MatchString(is) {
			t.Errorf("%q is not taken for a figure", is)
		}
	}
	tables := regexp.MustCompile(`(?s)<!-- bench: .*?<!-- /bench: \S+ -->`)
	for _, line := range strings.Split(tables.ReplaceAllString(page(t), ""), "\n") {
		if found := figure.FindString(line); found != "" {
			t.Errorf("%q stands outside the tables: %s", strings.TrimSpace(found), line)
		}
	}
}

// TestBentoIsToldWhatItsFilesAskFor: an unset name would be an empty string.
func TestBentoIsToldWhatItsFilesAskFor(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, setting := range bentoEnviron(&running{}, job{}, 1) {
		name, _, _ := strings.Cut(setting, "=")
		told[name] = true
	}
	files, err := writeBento(job{dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := yaml.Unmarshal(text, &config); err != nil || config["input"] == nil || config["pipeline"] == nil || config["output"] == nil {
			t.Errorf("%s: error %v, holds %v", filepath.Base(file), err, config)
		}
		for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)\}|env\("([A-Z_]+)"\)`).FindAllStringSubmatch(string(text), -1) {
			asked[m[1]+m[2]] = true
		}
	}
	for name := range asked {
		if !told[name] {
			t.Errorf("nobody sets %s", name)
		}
	}
	for name := range told {
		if !asked[name] {
			t.Errorf("%s is set and not used", name)
		}
	}
	if kept, _ := writeBento(job{dir: t.TempDir(), keepOnly: true}); len(kept) != 1 || len(files) != 2 {
		t.Errorf("to keep takes %v, to call %v", kept, files)
	}
}

// TestChildrenGetNothingOfOurEnvironment: a NATS_URL that is set here would
// have webhooks of a benchmark put into a NATS in use, and somebody called.
func TestChildrenGetNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	c, err := launchOwn(t.Context(), t.TempDir(), "gin", freeOne(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.kill()
	for _, setting := range c.cmd.Env {
		if name, _, _ := strings.Cut(setting, "="); !slices.Contains(inherited, name) {
			t.Errorf("it has %s", name)
		}
	}
}

func freeOne(t *testing.T) (address string) {
	t.Helper()
	if err := freeAddresses(&address); err != nil {
		t.Fatal(err)
	}
	return address
}
