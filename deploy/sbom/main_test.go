package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// built compiles the program once, as the image contains it.
var built = sync.OnceValues(func() (*buildinfo.BuildInfo, error) {
	dir, err := os.MkdirTemp("", "sbom-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "callbridge")
	if out, err := exec.Command("go", "build", "-trimpath", "-tags", "nomsgpack", "-o", binary, "callbridge/cmd/callbridge").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return buildinfo.ReadFile(binary)
})

func TestSBOMListsEveryLinkedModule(t *testing.T) {
	t.Parallel()
	info, err := built()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(describe(info))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		BOMFormat, SpecVersion string
		Version                int
		Metadata               struct{ Component component }
		Components             []component
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.BOMFormat != "CycloneDX" || got.SpecVersion != "1.6" || got.Version != 1 || got.Metadata.Component.Name != "callbridge" || got.Metadata.Component.Type != "application" {
		t.Errorf("the head is %.300s", text)
	}
	refs := map[string]bool{}
	for _, c := range got.Components {
		if refs[c.BOMRef] || c.Type != "library" || c.Version == "" || !strings.HasPrefix(c.PURL, "pkg:golang/"+c.Name+"@") {
			t.Errorf("component %+v", c)
		}
		refs[c.BOMRef] = true
	}
	if len(got.Components) != len(info.Deps)+1 || !refs["pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go")] {
		t.Errorf("%d components for %d modules: %v", len(got.Components), len(info.Deps), refs)
	}
	for _, m := range info.Deps {
		if !slices.ContainsFunc(got.Components, func(c component) bool {
			return c.Name == m.Path && c.Version == m.Version && c.Properties[0].Value == m.Sum
		}) {
			t.Errorf("%s %s is not listed with its sum", m.Path, m.Version)
		}
	}
}

// quic-go is linked through gin, which opens no listener of it. Scanners look at the
// version only: those before 0.59.1 have known weaknesses.
func TestLinkedModulesAreNotKnownToBeWeak(t *testing.T) {
	t.Parallel()
	info, err := built()
	if err != nil {
		t.Fatal(err)
	}
	least := map[string]string{"github.com/quic-go/quic-go": "v0.65.0"}
	for _, m := range info.Deps {
		if want, is := least[m.Path]; is && m.Version < want {
			t.Errorf("%s %s is linked, want %s or newer", m.Path, m.Version, want)
		}
	}
	if info.GoVersion < "go1.26.8" {
		t.Errorf("built by %s", info.GoVersion)
	}
}
