package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	stampedVersion  = "v1.2.3"
	stampedRevision = "0123456789abcdef"
	// maxImageBytes limits the image: the binary, and a quarter of a megabyte of
	// root certificates.
	maxImageBytes = 40 << 20
)

// binary is built once, by the command of the Dockerfile.
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
	for _, script := range argumentsOf(instructions(string(text)), "RUN") {
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

func TestBinaryIsBelowTheSizeLimit(t *testing.T) {
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

func TestBinaryHasItsVersion(t *testing.T) {
	t.Parallel()
	var got struct{ Version, Revision string }
	if err := json.Unmarshal([]byte(ran(t, nil, "version", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != stampedVersion || got.Revision != stampedRevision {
		t.Errorf("stamped %+v, want %s %s", got, stampedVersion, stampedRevision)
	}
}

func TestBinaryAcceptsTheseConfigurations(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"callbridge.yaml", "kustomize/base/callbridge.yaml"} {
		ran(t, environment(t, "demo/bridge.env"), "check", file)
	}
}

// ran runs a command, which has to succeed, and returns its output.
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

// environment parses a file of NAME=value lines, as compose does.
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

// instruction is an instruction of a Dockerfile, with its continued lines joined.
type instruction struct{ word, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	return instructions(read(t, "../Dockerfile"))
}

func instructions(text string) []instruction {
	var all []instruction
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		all = append(all, instruction{word, strings.Join(strings.Fields(rest), " ")})
	}
	return all
}

// argumentsOf returns the arguments of all instructions of one kind, in order.
func argumentsOf(all []instruction, word string) []string {
	var found []string
	for _, i := range all {
		if i.word == word {
			found = append(found, i.rest)
		}
	}
	return found
}

func TestImageContainsOnlyTheBinary(t *testing.T) {
	t.Parallel()
	all := dockerfile(t)
	if from := argumentsOf(all, "FROM"); !slices.Equal(from, []string{"${GO_IMAGE} AS build", "scratch"}) {
		t.Errorf("FROM %q, want a build stage from an argument, and scratch", from)
	}
	if image := argumentsOf(all, "ARG")[0]; !regexp.MustCompile(`^GO_IMAGE=golang:\d+\.\d+\.\d+-\w+@sha256:[0-9a-f]{64}$`).MatchString(image) {
		t.Errorf("ARG %s does not pin the base image by its digest", image)
	}
	last := slices.IndexFunc(all, func(i instruction) bool { return i.rest == "scratch" })
	for word, want := range map[string]string{
		"USER": "65532:65532", "ENTRYPOINT": `["/callbridge"]`, "CMD": `["serve"]`, "EXPOSE": "8080 8081 4222",
	} {
		if got := argumentsOf(all[last:], word); !slices.Equal(got, []string{want}) {
			t.Errorf("%s %q, want %s", word, got, want)
		}
	}
	if check := argumentsOf(all[last:], "HEALTHCHECK"); len(check) != 1 || !strings.HasSuffix(check[0], `CMD ["/callbridge", "health"]`) {
		t.Errorf("HEALTHCHECK %q does not run the binary", check)
	}
	if len(argumentsOf(all[last:], "RUN")) > 0 {
		t.Error("scratch has no shell to RUN anything")
	}
	if !slices.ContainsFunc(argumentsOf(all[last:], "COPY"), func(c string) bool { return strings.Contains(c, "ca-certificates.crt") }) {
		t.Error("without root certificates Callab cannot be verified")
	}
}

func TestImageSetsKnownVariables(t *testing.T) {
	t.Parallel()
	known := settings(t)
	for _, line := range argumentsOf(dockerfile(t), "ENV") {
		for pair := range strings.FieldsSeq(line) {
			if name, _, _ := strings.Cut(pair, "="); !slices.Contains(known, name) {
				t.Errorf("ENV %s is not a variable of callbridge", name)
			}
		}
	}
}

// settings returns the names of the variables that callbridge reads.
func settings(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`env:"([A-Z_]+)`).FindAllStringSubmatch(read(t, "../cmd/callbridge/settings.go"), -1) {
		names = append(names, m[1])
	}
	return names
}

// TestDockerignoreKeepsSources: .dockerignore excludes no source and no embedded
// file.
func TestDockerignoreKeepsSources(t *testing.T) {
	t.Parallel()
	ignored := strings.Fields(read(t, "../.dockerignore"))
	for _, file := range sources(t) {
		for _, pattern := range ignored {
			for part := file; part != "."; part = path.Dir(part) {
				if match, _ := path.Match(pattern, part); match {
					t.Errorf(".dockerignore: %s excludes %s", pattern, file)
				}
			}
		}
	}
}

// sources returns the source files of the binary, relative to the root.
func sources(t *testing.T) []string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-json=Dir,GoFiles,EmbedFiles", "-deps", "callbridge/cmd/callbridge").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := []string{"go.mod", "go.sum"}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir                 string
			GoFiles, EmbedFiles []string
		}
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return files
		case err != nil:
			t.Fatal(err)
		}
		dir, err := filepath.Rel(root, p.Dir)
		if err != nil || strings.HasPrefix(dir, "..") {
			continue // in another module
		}
		for _, f := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			files = append(files, path.Join(filepath.ToSlash(dir), f))
		}
	}
}

// TestDigestsPinsEachBaseImage runs .ci/digests on a copy of the files, with an engine
// that answers as a registry does.
func TestDigestsPinsEachBaseImage(t *testing.T) {
	t.Parallel()
	dir, digest := t.TempDir(), "sha256:"+strings.Repeat("0f", 32)
	files := []string{"Dockerfile", "deploy/compose.yaml", "deploy/compose.cluster.yaml", ".ci/digests"}
	for _, name := range files {
		text, err := os.ReadFile("../" + name)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Join(dir, path.Dir(name)), 0o700), os.WriteFile(filepath.Join(dir, name), text, 0o700))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	engine := filepath.Join(dir, "engine")
	if err := os.WriteFile(engine, []byte("#!/bin/sh\necho "+digest+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again: it replaces digests
		command := exec.Command("bash", filepath.Join(dir, ".ci/digests"))
		command.Env = append(os.Environ(), "ENGINE="+engine)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	base := regexp.MustCompile(`(?m)(?:golang|nats):\d[^\s@]*(.*)$`)
	for _, name := range files[:3] {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		found := base.FindAllStringSubmatch(string(text), -1)
		for _, image := range found {
			if image[1] != "@"+digest {
				t.Errorf("%s: %s", name, image[0])
			}
		}
		if len(found) == 0 {
			t.Errorf("%s has no base image", name)
		}
	}
}
