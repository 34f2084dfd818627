package deploy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestReleaseHasEverything builds one of its targets, the machine's own architecture.
func TestReleaseHasEverything(t *testing.T) {
	t.Parallel()
	dist := filepath.Join(t.TempDir(), "dist")
	command := exec.CommandContext(t.Context(), "bash", "../.ci/release")
	command.Env = append(os.Environ(), "DIST="+dist, "VERSION=v1.2.3", "REVISION="+stampedRevision, "TARGETS=linux/"+runtime.GOARCH)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sums, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	name := "callbridge_v1.2.3_linux_" + runtime.GOARCH
	for _, file := range []string{name, name + ".cdx.json", "callbridge_v1.2.3_image.tar"} {
		content, err := os.ReadFile(filepath.Join(dist, file))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if !strings.Contains(string(sums), hex.EncodeToString(sum[:])+"  "+file+"\n") {
			t.Errorf("SHA256SUMS does not have %s", file)
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dist, name), "version", "-o", "json").Output()
	var got struct{ Version string }
	if err != nil || json.Unmarshal(out, &got) != nil || got.Version != "v1.2.3" {
		t.Errorf("version: %s, %v", out, err)
	}
}

// TestReleaseIsForEveryPlatform that the page names.
func TestReleaseIsForEveryPlatform(t *testing.T) {
	t.Parallel()
	script := read(t, "../.ci/release")
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, architecture := range []string{"amd64", "arm64"} {
			if !strings.Contains(script, system+"/"+architecture) {
				t.Errorf(".ci/release does not build %s/%s", system, architecture)
			}
		}
	}
}
