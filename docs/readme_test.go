// Package docs_test compares the README, the pages and the schemas of this folder with the code.
// Pages about a running process are compared in cmd/callbridge.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callbridge/internal/testkit"
	"callbridge/mapping"
	"callbridge/mapping/sources"
)

func TestReadmeBeginsWithTheTwoCommands(t *testing.T) {
	t.Parallel()
	lines := strings.Split(testkit.Read(t, "README.md"), "\n")
	for _, command := range []string{"    go run ./cmd/callbridge demo", "    go test ./..."} {
		if at := slices.Index(lines, command); at < 0 || at >= 30 {
			t.Errorf("%q is on line %d, want it within the first 30", strings.TrimSpace(command), at+1)
		}
	}
	gate := testkit.Read(t, ".ci/run")
	if !regexp.MustCompile(`(?m)^go test (-parallel \S+ )?\./\.\.\.$`).MatchString(gate) || !strings.Contains(gate, "go run ./cmd/callbridge demo --once") {
		t.Error(".ci/run does not run the README's commands")
	}
}

// TestLinksHaveATarget checks the file and the heading of every relative link of every page.
func TestLinksHaveATarget(t *testing.T) {
	t.Parallel()
	pages := []string{"../README.md", "../CONTRIBUTING.md", "../SECURITY.md"}
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(m[1], "://") {
				checkLink(t, page, m[1])
			}
		}
	}
}

func checkLink(t *testing.T, page, link string) {
	t.Helper()
	file, heading, _ := strings.Cut(link, "#")
	target := page
	if file != "" {
		target = filepath.Join(filepath.Dir(page), file)
	}
	text, err := os.ReadFile(target)
	if info, statErr := os.Stat(target); statErr == nil && info.IsDir() && heading == "" {
		return
	}
	if err != nil {
		t.Errorf("%s links to %s, which does not exist", page, link)
		return
	}
	if heading == "" {
		return
	}
	for _, line := range strings.Split(string(text), "\n") {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") && anchor(title) == heading {
			return
		}
	}
	t.Errorf("%s links to %s: no such heading", page, link)
}

// anchor returns the link of a heading on the usual forges.
func anchor(title string) string {
	title = strings.ToLower(strings.ReplaceAll(title, " ", "-"))
	return regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(title, "")
}

func TestReadmeNamesEveryPresetAndASourceOfOnesOwn(t *testing.T) {
	t.Parallel()
	text := testkit.Read(t, "README.md")
	for _, name := range sources.Names() {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the README does not name %s", name)
		}
	}
	_, after, _ := strings.Cut(text, "```yaml\n")
	source, _, _ := strings.Cut(after, "```")
	config, err := mapping.Parse("README.md", []byte(source), mapping.Options{LookupEnv: func(string) (string, bool) { return "secret", true }})
	if err != nil || len(config.Sources()) != 1 || strings.Count(source, "\n") >= 25 {
		t.Errorf("the README's own source has %d lines: %v", strings.Count(source, "\n"), err)
	}
}
