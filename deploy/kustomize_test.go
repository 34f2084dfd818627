package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

var overlays = []string{"embedded", "cluster"}

// manifest is one object as it would be applied.
type manifest struct {
	kind, name string
	node       *yaml.RNode
}

// rendered is what `kubectl kustomize deploy/kustomize/<overlay>` makes.
func rendered(t *testing.T, overlay string) []manifest {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "kustomize/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	var all []manifest
	for _, o := range objects.Resources() {
		all = append(all, manifest{o.GetKind(), o.GetName(), &o.RNode})
	}
	return all
}

// one finds the only object of a kind.
func one(t *testing.T, all []manifest, kind string) *yaml.RNode {
	t.Helper()
	var found []*yaml.RNode
	for _, m := range all {
		if m.kind == kind {
			found = append(found, m.node)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects are a %s", len(found), kind)
	}
	return found[0]
}

// at is a value as text; empty if it is not there.
func at(t *testing.T, node *yaml.RNode, path ...string) string {
	t.Helper()
	found, err := node.Pipe(yaml.Lookup(path...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(strings.TrimSpace(found.MustString()), "{[]}")
}

func TestOverlaysHoldWhatAnOperatorExpects(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"embedded": {"ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet"},
		"cluster":  {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount", "ServiceMonitor"},
	}
	for _, overlay := range overlays {
		var kinds []string
		for _, m := range rendered(t, overlay) {
			kinds = append(kinds, m.kind)
			if m.kind == "Secret" {
				t.Errorf("%s holds the secret %s: name it, do not write it down", overlay, m.name)
			}
		}
		if slices.Sort(kinds); !slices.Equal(kinds, want[overlay]) {
			t.Errorf("%s holds %q, want %q", overlay, kinds, want[overlay])
		}
	}
}

// TestManifestsAreKubernetes holds every field against the OpenAPI description
// of Kubernetes 1.21 that kustomize brings along, and newer ones against a
// list.
func TestManifestsAreKubernetes(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		for _, m := range rendered(t, overlay) {
			for _, problem := range problems(m) {
				t.Errorf("%s: %s", overlay, problem)
			}
		}
	}
}

// TestMistakesAreFound: the check above can fail.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	for mistake, want := range map[string]string{
		"spec: {ports: [{prot: 80}]}":               "there is no prot",
		"spec: {ports: [{port: http}]}":             "want [integer]",
		"spec: {ports: [{name: http}]}":             "port is missing",
		"spec: {publishNotReadyAddresses: \"yes\"}": "want [boolean]",
		"spec: {ports: {port: 80}}":                 "want a list",
	} {
		node := yaml.MustParse("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n" + mistake)
		if got := strings.Join(problems(manifest{"Service", "x", node}), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", mistake, got, want)
		}
	}
}

// TestSelectorsSelectOnlyUs: an empty one would select every pod of the
// namespace.
func TestSelectorsSelectOnlyUs(t *testing.T) {
	t.Parallel()
	const us = "app.kubernetes.io/name: callbridge"
	for _, overlay := range overlays {
		for _, m := range rendered(t, overlay) {
			path := map[string][]string{
				"Service": {"spec", "selector"}, "NetworkPolicy": {"spec", "podSelector", "matchLabels"},
			}[m.kind]
			if path == nil {
				path = []string{"spec", "selector", "matchLabels"}
			}
			if slices.Contains([]string{"ConfigMap", "ServiceAccount"}, m.kind) {
				continue
			}
			if got := at(t, m.node, path...); got != us {
				t.Errorf("%s: %s %s selects %q", overlay, m.kind, m.name, got)
			}
			if got := at(t, m.node, "metadata", "labels"); got != us {
				t.Errorf("%s: %s %s has the labels %q", overlay, m.kind, m.name, got)
			}
		}
	}
}

func TestTheEmbeddedNATSIsNeverTwice(t *testing.T) {
	t.Parallel()
	all := rendered(t, "embedded")
	set := one(t, all, "StatefulSet")
	if at(t, set, "spec", "replicas") != "1" {
		t.Error("two embedded servers know nothing of each other's calls")
	}
	claim, err := set.Pipe(yaml.Lookup("spec", "volumeClaimTemplates"), yaml.GetElementByIndex(0))
	if err != nil {
		t.Fatal(err)
	}
	if modes := at(t, claim, "spec", "accessModes"); modes != "ReadWriteOnce" {
		t.Errorf("the volume is %s, want ReadWriteOnce", modes)
	}
	if at(t, set, "spec", "updateStrategy", "type") != "RollingUpdate" || at(t, set, "spec", "podManagementPolicy") == "Parallel" {
		t.Error("an update has to stop the old pod before it makes the new one")
	}
}

func TestAClusterUpdateNeverLeavesNobodyListening(t *testing.T) {
	t.Parallel()
	d := one(t, rendered(t, "cluster"), "Deployment")
	if at(t, d, "spec", "strategy", "rollingUpdate", "maxUnavailable") != "0" || at(t, d, "spec", "replicas") != "2" {
		t.Error("an update may stop a pod before another one is ready")
	}
}
