package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"callbridge/mapping"
)

const examples = "../../docs/examples"

func TestPageShowsTheFilesOfTheExamples(t *testing.T) {
	t.Parallel()
	page := mappingPage(t)
	files, err := filepath.Glob(examples + "/*/*")
	if err != nil || len(files) != 4*3 {
		t.Fatalf("%d files of examples: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block := fmt.Sprintf("`%s`\n\n```%s\n%s```\n", filepath.Base(file), strings.TrimPrefix(filepath.Ext(file), "."), text)
		if !strings.Contains(page, block) {
			t.Errorf("the page does not show %s as it is", file)
		}
	}
}

func TestExamplesOfThePagePass(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "test", examples)
	if code != 0 || strings.Count(out, "ok ") < 8 {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

func TestConfigurationsOfThePageLoad(t *testing.T) {
	t.Parallel()
	loaded := 0
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(mappingPage(t), -1) {
		if !strings.Contains("\n"+m[1], "\nsources:") {
			continue
		}
		loaded++
		if _, err := mapping.Parse("page", []byte(m[1]), mapping.Options{WithoutSecrets: true}); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
	}
	if loaded != 4 {
		t.Errorf("%d configurations, want 4", loaded)
	}
}

// TestLinesOfThePageLoad tries each verify: and key: that the page proposes.
func TestLinesOfThePageLoad(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, m := range regexp.MustCompile("`((?:verify|key): [^`]+)`").FindAllStringSubmatch(mappingPage(t), -1) {
		lines := []string{"verify: {kind: none, reason: a test}", "key: sha256:body", m[1]}
		kept := lines[:0]
		for _, line := range lines {
			if name, _, _ := strings.Cut(m[1], ":"); line == m[1] || !strings.HasPrefix(line, name) {
				kept = append(kept, line)
			}
		}
		text := "sources:\n  crm:\n    " + strings.Join(kept, "\n    ") + "\n"
		if _, err := mapping.Parse("page", []byte(text), mapping.Options{WithoutSecrets: true}); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		tried++
	}
	if tried < 7 {
		t.Errorf("%d lines tried", tried)
	}
}

func TestOwnSourceIsShortAndShowsItsPaths(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(examples + "/own-source/callbridge.yaml")
	if lines := strings.Count(string(text), "\n"); err != nil || lines >= 25 {
		t.Errorf("%d lines, want less than 25 (%v)", lines, err)
	}
	code, out, errs := callbridge(t, "", "map", "--paths", examples+"/own-source/payload.json")
	if code != 0 || !strings.Contains(mappingPage(t), "```\n"+out+"```\n") {
		t.Errorf("exit code %d, and the page does not show\n%s%s", code, out, errs)
	}
}
