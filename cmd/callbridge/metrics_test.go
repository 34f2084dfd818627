package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"callbridge/internal/testkit"
)

func TestMetricsOfAnAcceptedCall(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	for range 2 {
		if status := b.website(exampleBody(t, "website-lead.json")); status != http.StatusAccepted {
			t.Fatalf("answered %d", status)
		}
	}
	b.result()
	for _, want := range []string{
		"callbridge_speed_to_lead_seconds_count 1\n",
		`callbridge_decisions_total{outcome="requested",reason=""} 1` + "\n",
		"callbridge_duplicates_total 1\n",
		`callbridge_build_info{goversion="go`,
	} {
		testkit.Eventually(t, "the scrape has "+want, func() bool { return strings.Contains(b.scrape(), want) })
	}
}

// TestCountersStartAtZero for what is configured: Prometheus does not see an event that
// makes its series.
func TestCountersStartAtZero(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	scrape := b.scrape()
	for _, want := range []string{
		`callbridge_webhooks_total{code="202",source="website"}`, `callbridge_webhooks_total{code="401",source="website"}`,
		`callbridge_webhooks_total{code="503",source="hubspot"}`, `callbridge_events_total{source="website",status="rejected"}`,
		`callbridge_lookups_total{result="refused",source="hubspot"}`, `callbridge_decisions_total{outcome="rejected",reason="key_reused"}`,
		`callbridge_route_decisions_total{outcome="requested",route="new-lead",source="website"}`,
		`callbridge_dial_results_total{outcome="rejected",reason="refused"}`, `callbridge_dial_attempts_total{state="free"}`,
	} {
		if !strings.Contains(scrape, want+" 0\n") {
			t.Errorf("the first scrape has no %s", want)
		}
	}
	b.website(exampleBody(t, "website-lead.json"))
	testkit.Eventually(t, "the route has decided", func() bool {
		return strings.Contains(b.scrape(), `callbridge_route_decisions_total{outcome="requested",route="new-lead",source="website"} 1`+"\n")
	})
}

func TestReadyIsAMetric(t *testing.T) {
	t.Parallel()
	b, stopNATS := startBridgeOnNATS(t)
	testkit.Eventually(t, "ready, and the scrape says so", func() bool { return b.ready() && strings.Contains(b.scrape(), "callbridge_ready 1\n") })
	stopNATS()
	if scrape := b.scrape(); b.ready() || !strings.Contains(scrape, "callbridge_ready 0\n") {
		t.Errorf("without NATS, a scrape does not say that it is not ready:\n%s", scrape)
	}
}

// startBridgeWithResults starts a bridge that has reconciled one call and rejected one event,
// so that every metric with labels has a series.
func startBridgeWithResults(t *testing.T) *bridge {
	t.Helper()
	b := startBridge(t, map[string]string{"FOLLOW": "on"})
	b.website(exampleBody(t, "website-lost-answer.json"))
	b.website(exampleBody(t, "website-no-phone.json"))
	b.result()
	b.result()
	return b
}

func TestReadmeListsEveryMetric(t *testing.T) {
	t.Parallel()
	b := startBridgeWithResults(t)
	got := names("(?m)^\\| `(callbridge_[a-z_]+)`", testkit.Read(t, "README.md"))
	testkit.Eventually(t, "a scrape shows what the README tells", func() bool {
		return slices.Equal(got, names(`(?m)^# TYPE (callbridge_\S+)`, b.scrape()))
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
	var r rules
	if err := yaml.Unmarshal([]byte(testkit.Read(t, "deploy/prometheus/alerts.yaml")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// expressions returns the PromQL of the alerts and of the dashboard.
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

// dashboard returns the PromQL of its panels.
func dashboard(t *testing.T) []string {
	t.Helper()
	var all []string
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(testkit.Read(t, "deploy/grafana/callbridge.json")), &dashboard); err != nil {
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

// TestDashboardAndAlertsUseMetricsThatExist compares their metrics and labels with a scrape
// of a running process.
func TestDashboardAndAlertsUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	b := startBridgeWithResults(t)
	var labels map[string][]string
	testkit.Eventually(t, "a call was reconciled", func() bool {
		labels = series(b.scrape())
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

func TestDashboardShowsEveryMetric(t *testing.T) {
	t.Parallel()
	shown := strings.Join(dashboard(t), "\n")
	for _, metric := range names("(?m)^\\| `(callbridge_[a-z_]+)`", testkit.Read(t, "README.md")) {
		if !regexp.MustCompile(metric + `(_bucket)?\b`).MatchString(shown) {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

// series returns the label names of each metric in a scrape, with the labels that Prometheus
// adds, and those of up, which Prometheus writes itself.
func series(scrape string) map[string][]string {
	added := []string{"job", "namespace", "instance"}
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

// checkWords fails for values that a label never has.
func checkWords(t *testing.T, expression, label, words string) {
	t.Helper()
	var allowed []string
	switch label {
	case "state":
		allowed = append(constants(t, "dispatch/record", "State"), constants(t, "dispatch/breaker", "State")...)
	case "outcome":
		allowed = constants(t, "event", "Outcome")
	case "status":
		allowed = constants(t, "handlers", "status")
	case "result":
		allowed = append(constants(t, "lookup", "result"), "taken", "refused")
	default:
		return
	}
	for word := range strings.SplitSeq(words, "|") {
		if !slices.Contains(allowed, word) {
			t.Errorf("%s: %s is never %s", expression, label, word)
		}
	}
}

// TestEveryAlertTellsEnvironmentsApart: each metric is that of the job, and each
// aggregation keeps job and namespace, so that no environment hides another's alert.
func TestEveryAlertTellsEnvironmentsApart(t *testing.T) {
	t.Parallel()
	aggregation := regexp.MustCompile(`\b(?:sum|max|min|count|group|avg)\b( by \(job, namespace[a-z_, ]*\))?`)
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			for _, m := range used.FindAllStringSubmatch(r.Expr, -1) {
				if !strings.Contains(m[2], `job="callbridge"`) {
					t.Errorf("%s: %s is that of every job", r.Alert, m[1])
				}
			}
			for _, m := range aggregation.FindAllStringSubmatch(r.Expr, -1) {
				if m[1] == "" {
					t.Errorf("%s: %s without by (job, namespace)", r.Alert, m[0])
				}
			}
		}
	}
}

// TestEveryAlertHasARunbookAndAUnitTest: the address of its section, and a test that
// promtool runs.
func TestEveryAlertHasARunbookAndAUnitTest(t *testing.T) {
	t.Parallel()
	tests := testkit.Read(t, "deploy/prometheus/alerts_test.yaml")
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			if want := "https://git.example.com/callbridge/docs/operations.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
				t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
			}
			if !strings.Contains(tests, "      - alertname: "+r.Alert+"\n") {
				t.Errorf("%s has no unit test in deploy/prometheus/alerts_test.yaml", r.Alert)
			}
		}
	}
}

// TestEveryAlertHasItsInstructions: docs/operations.md has a heading for each alert and no
// other.
func TestEveryAlertHasItsInstructions(t *testing.T) {
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
	slices.Sort(want)
	if got := names(`(?m)^### (Callbridge\w+)$`, testkit.Read(t, "docs/operations.md")); !slices.Equal(got, want) {
		t.Errorf("docs/operations.md tells\n%q\nand the alerts are\n%q", got, want)
	}
}
