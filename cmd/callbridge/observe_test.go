package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// rules is the part of a Prometheus rule file that is checked here.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func alerts(t *testing.T) rules {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	if err := yaml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// expressions are the PromQL of the alerts and of the dashboard.
func expressions(t *testing.T) []string {
	t.Helper()
	all := dashboard(t)
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			all = append(all, r.Expr)
		}
	}
	return all
}

// dashboard is the PromQL of its panels.
func dashboard(t *testing.T) []string {
	t.Helper()
	var all []string
	text, err := os.ReadFile("../../deploy/grafana/callbridge.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var (
	// used is a metric in PromQL, with its label matchers.
	used = regexp.MustCompile(`\b((?:callbridge|process|go)_[a-z_]+|up)\b(?:\{([^}]*)\})?`)
	// matcher is one label of it.
	matcher = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"`)
	// grouping names labels, too.
	grouping = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
)

// TestDashboardAndAlertsUseMetricsThatExist holds every metric and label of
// both against a scrape of a running process.
func TestDashboardAndAlertsUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	// One of each, so that every vector has a child to show.
	w.website(exampleBody(t, "website-lost-answer.json"))
	w.website(exampleBody(t, "website-no-phone.json"))
	w.result()
	w.result()
	var labels map[string][]string
	until(t, "a call was reconciled", func() bool {
		labels = series(w.scrape())
		return labels["callbridge_dial_reconciled_total"] != nil && labels["callbridge_dial_results_total"] != nil
	})
	for _, expression := range expressions(t) {
		var known []string
		for _, m := range used.FindAllStringSubmatch(expression, -1) {
			have, ok := labels[m[1]]
			if !ok {
				t.Errorf("%s: there is no %s", expression, m[1])
			}
			known = append(known, have...)
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(have, l[1]) {
					t.Errorf("%s: %s has no label %s", expression, m[1], l[1])
				}
				checkWords(t, expression, l[1], l[2])
			}
		}
		for _, m := range grouping.FindAllStringSubmatch(expression, -1) {
			for l := range strings.SplitSeq(m[1], ", ") {
				if !slices.Contains(known, l) {
					t.Errorf("%s: no metric in it has a label %s", expression, l)
				}
			}
		}
	}
}

// TestDashboardShowsEveryMetric: what is worth a metric is worth a look.
func TestDashboardShowsEveryMetric(t *testing.T) {
	t.Parallel()
	shown := strings.Join(dashboard(t), "\n")
	for _, metric := range names("(?m)^\\| `(callbridge_[a-z_]+)`", readme(t)) {
		if !regexp.MustCompile(metric + `(_bucket)?\b`).MatchString(shown) {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

// series are the label names of each metric in a scrape, with those that
// Prometheus adds; and up, which it writes itself.
func series(scrape string) map[string][]string {
	added := []string{"job", "instance"}
	all := map[string][]string{"up": added}
	sample := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{([^}]*)\})? `)
	for _, m := range sample.FindAllStringSubmatch(scrape, -1) {
		all[m[1]] = slices.Clone(added)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			all[m[1]] = append(all[m[1]], l[1])
		}
	}
	return all
}

// checkWords finds a word that a label never has.
func checkWords(t *testing.T, expression, label, words string) {
	t.Helper()
	var allowed []string
	switch label {
	case "state":
		allowed = constants(t, "../../dispatch", "State")
	case "outcome":
		allowed = constants(t, "../../event", "Outcome")
	case "status":
		allowed = constants(t, "../../handlers", "status")
	case "result":
		allowed = append(constants(t, "../../lookup", "result"), "taken", "refused")
	default:
		return
	}
	for word := range strings.SplitSeq(words, "|") {
		if !slices.Contains(allowed, word) {
			t.Errorf("%s: %s is never %s", expression, label, word)
		}
	}
}

// TestEveryAlertSaysWhatToDo: docs/operations.md has a heading for each, and
// none for an alert that is gone.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	var want []string
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			want = append(want, r.Alert)
			if r.Annotations["summary"] == "" || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("%s has no summary or no severity", r.Alert)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join("../../docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if got := names(`(?m)^### (Callbridge\w+)$`, string(text)); !slices.Equal(got, want) {
		t.Errorf("docs/operations.md tells\n%q\nand the alerts are\n%q", got, want)
	}
}
