package deploy_test

import (
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"callbridge/internal/testkit"
)

// TestKustomizeHasTheAlertsAndTheDashboard: kustomize reads no file outside of its
// directory, so it has copies. -update writes them.
func TestKustomizeHasTheAlertsAndTheDashboard(t *testing.T) {
	t.Parallel()
	_, groups, found := strings.Cut(read(t, "prometheus/alerts.yaml"), "\ngroups:\n")
	if !found {
		t.Fatal("alerts.yaml has no groups")
	}
	rule := `# For the Prometheus operator: the rules of deploy/prometheus/alerts.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: callbridge
spec:
  groups:
` + regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(groups, "  $1")
	testkit.Golden(t, "kustomize/base/rules.yaml", rule)
	testkit.Golden(t, "kustomize/base/dashboard.json", read(t, "grafana/callbridge.json"))
}

// TestOverlaysHaveTheAlertsAndTheDashboard as the operator and Grafana's sidecar find them.
func TestOverlaysHaveTheAlertsAndTheDashboard(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		all := rendered(t, overlay)
		rules, err := one(t, all, "PrometheusRule").Pipe(yaml.Lookup("spec", "groups"), yaml.GetElementByIndex(0), yaml.Lookup("rules"))
		if err != nil || rules == nil {
			t.Fatalf("%s has no rules: %v", overlay, err)
		}
		if elements, err := rules.Elements(); err != nil || len(elements) < 20 {
			t.Errorf("%s has %d rules: %v", overlay, len(elements), err)
		}
		for _, m := range all {
			if m.name == "callbridge-dashboard" && at(t, m.node, "metadata", "labels", "grafana_dashboard") == "" {
				t.Errorf("%s: Grafana's sidecar does not find the dashboard", overlay)
			}
		}
	}
}
