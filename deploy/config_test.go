package deploy_test

import (
	"reflect"
	"strconv"
	"testing"

	"go.yaml.in/yaml/v4"
)

const example = "../cmd/callbridge/example/callbridge.yaml"

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// document is a YAML file as it is written.
func document(t *testing.T, file string) map[string]any {
	t.Helper()
	var d map[string]any
	if err := yaml.Unmarshal([]byte(read(t, file)), &d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

// TestComposeRunsTheExampleLive: what is shown in the demo is what compose
// runs; only the simulator is dialled.
func TestComposeRunsTheExampleLive(t *testing.T) {
	t.Parallel()
	want := document(t, example)
	for _, route := range want["routes"].([]any) {
		route.(map[string]any)["mode"] = "live"
	}
	if got := document(t, "callbridge.yaml"); !reflect.DeepEqual(got, want) {
		t.Errorf("callbridge.yaml differs from %s in more than its mode", example)
	}
}

// TestKubernetesBeginsWithTheExample: in dry_run, since a cluster has the real
// Callab.
func TestKubernetesBeginsWithTheExample(t *testing.T) {
	t.Parallel()
	if read(t, "kustomize/base/callbridge.yaml") != read(t, example) {
		t.Errorf("kustomize/base/callbridge.yaml is not %s", example)
	}
}
