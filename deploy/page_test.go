package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const page = "../docs/deploy.md"

// TestOverlayOfThePageRenders renders the overlay in docs/deploy.md, next to a
// callbridge.yaml and a checkout.
func TestOverlayOfThePageRenders(t *testing.T) {
	t.Parallel()
	overlay := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(read(t, page))
	if overlay == nil {
		t.Fatal("the page has no overlay")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"kustomization.yaml": overlay[1], "callbridge.yaml": "sources: {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "callbridge/deploy"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"namespace: calls", "replicas: 3", "callbridge.yaml: |\n    sources: {}", "image: registry.your-company.example/callbridge:v1.2.3"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
}

// TestPageCreatesTheRequiredSecrets: a pod does not start without them.
func TestPageCreatesTheRequiredSecrets(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?:secretName|name): (callbridge-(?:callab|sources|nats))\b`)
	for _, overlay := range overlays {
		for _, m := range rendered(t, overlay) {
			for _, named := range secret.FindAllStringSubmatch(m.node.MustString(), -1) {
				if !strings.Contains(read(t, page), "create secret generic "+named[1]+" ") {
					t.Errorf("%s: the page does not say how to create the secret %s", overlay, named[1])
				}
			}
		}
	}
}

// TestPageRequiresTheKubernetesVersion: that of the newest field.
func TestPageRequiresTheKubernetesVersion(t *testing.T) {
	t.Parallel()
	for field, version := range newer {
		if !strings.Contains(read(t, page), "\nKubernetes "+version+" or newer.") {
			t.Errorf("%s needs Kubernetes %s", field, version)
		}
	}
}
