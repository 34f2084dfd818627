package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeBeginsWithTheTwoCommands(t *testing.T) {
	t.Parallel()
	lines := strings.Split(readme(t), "\n")
	for _, command := range []string{"    go run ./cmd/callbridge demo", "    go test ./..."} {
		if at := slices.Index(lines, command); at < 0 || at >= 30 {
			t.Errorf("%q stands on line %d, want it within the first 30", strings.TrimSpace(command), at+1)
		}
	}
	gate, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(gate), "\ngo test ./...\n") || !strings.Contains(string(gate), "go run ./cmd/callbridge demo --once") {
		t.Error(".ci/run does not run the README's commands")
	}
}

func TestReadmeTellsEveryVariable(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, v := range variables() {
		if strings.HasPrefix(v.Name, "OTEL_") {
			// Their meaning is OpenTelemetry's; a sentence is enough.
			if !strings.Contains(readme(t), "`"+v.Name) {
				t.Errorf("the README does not name %s", v.Name)
			}
			continue
		}
		want = append(want, v.Name+"="+v.Default)
	}
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (?:`([^`]*)`)? ?\\|")
	for _, m := range row.FindAllStringSubmatch(readme(t), -1) {
		got = append(got, m[1]+"="+m[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the README tells\n%s\nand the code has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestReadmeTellsEveryMetric(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	// One of each, so that every vector has a child to show.
	w.website(exampleBody(t, "website-lost-answer.json"))
	w.website(exampleBody(t, "website-no-phone.json"))
	w.result()
	w.result()
	got := names("(?m)^\\| `(callbridge_[a-z_]+)`", readme(t))
	until(t, "a scrape shows what the README tells", func() bool {
		return slices.Equal(got, names(`(?m)^# TYPE (callbridge_\S+)`, w.scrape()))
	})
}

func names(pattern, text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return all
}

// scrape reads /metrics as Prometheus would.
func (w *world) scrape() string { return w.adminSays("/metrics") }

// adminSays is what the admin listener answers.
func (w *world) adminSays(path string) string {
	w.t.Helper()
	response, err := http.Get(w.process.admin.url() + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func TestReadmeTellsEveryOutcome(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes {
		if !strings.Contains(readme(t), "\n| `"+o+"` |") {
			t.Errorf("the outcome %s is missing", o)
		}
	}
}

func TestReadmeShowsTheDemosWebhook(t *testing.T) {
	t.Parallel()
	if !strings.Contains(readme(t), inviteBody) || !strings.Contains(readme(t), demoSecrets["WEBSITE_SECRET"]) {
		t.Error("the README sends another webhook than the demo tells")
	}
}

// TestLinksLeadSomewhere follows every relative link of every page, with its
// heading.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages := []string{"../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md"}
	err := filepath.WalkDir("../../docs", func(path string, _ os.DirEntry, err error) error {
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
		t.Errorf("%s links to %s, which is not there", page, link)
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

// anchor is what a heading's link is called on the usual forges.
func anchor(title string) string {
	title = strings.ToLower(strings.ReplaceAll(title, " ", "-"))
	return regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(title, "")
}
