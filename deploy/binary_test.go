package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	stampedVersion  = "v1.2.3"
	stampedRevision = "0123456789abcdef"
	// maxImageBytes is what the issue of the image promises; all that is in it
	// beside the binary is a file of authorities, a quarter of a megabyte.
	maxImageBytes = 40 << 20
)

// binary is made once, by the very command of the Dockerfile.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "callbridge-image-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(dir string) error {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		return err
	}
	for _, script := range rests(instructions(string(text)), "RUN") {
		if !strings.Contains(script, "go build") {
			continue
		}
		command := exec.Command("sh", "-c", strings.ReplaceAll(script, "/out/", dir+"/"))
		command.Dir = ".."
		command.Env = append(os.Environ(), "VERSION="+stampedVersion, "REVISION="+stampedRevision)
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", script, err, out)
		}
		binary = filepath.Join(dir, "callbridge")
		return nil
	}
	return errors.New("the Dockerfile builds nothing")
}

func TestTheBinaryIsSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB", float64(info.Size())/(1<<20))
	if info.Size() > maxImageBytes-1<<20 {
		t.Errorf("the binary has %d bytes", info.Size())
	}
}

func TestTheBinaryKnowsWhatItIs(t *testing.T) {
	t.Parallel()
	var got struct{ Version, Revision string }
	if err := json.Unmarshal([]byte(ran(t, nil, "version", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != stampedVersion || got.Revision != stampedRevision {
		t.Errorf("stamped %+v, want %s %s", got, stampedVersion, stampedRevision)
	}
}

func TestTheBinaryTakesTheFilesHere(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"callbridge.yaml", "kustomize/base/callbridge.yaml"} {
		ran(t, environment(t, "demo/bridge.env"), "check", file)
	}
}

// ran is what a command says; it has to succeed.
func ran(t *testing.T, env []string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary, arguments...)
	command.Env = env
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("callbridge %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// environment reads a file of NAME=value lines, as compose does.
func environment(t *testing.T, file string) []string {
	t.Helper()
	var env []string
	for line := range strings.Lines(read(t, file)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	return env
}
