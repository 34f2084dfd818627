package deploy_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one of a Dockerfile, its continued lines joined.
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

// rests are what stands behind one word, in order.
func rests(all []instruction, word string) []string {
	var found []string
	for _, i := range all {
		if i.word == word {
			found = append(found, i.rest)
		}
	}
	return found
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheImageHoldsTheBinaryAndNothingToBreakInWith(t *testing.T) {
	t.Parallel()
	all := dockerfile(t)
	if from := rests(all, "FROM"); !slices.Equal(from, []string{"${GO_IMAGE} AS build", "scratch"}) {
		t.Errorf("FROM %q, want a build stage from an argument, and scratch", from)
	}
	if image := rests(all, "ARG")[0]; !regexp.MustCompile(`^GO_IMAGE=golang:\d+\.\d+\.\d+-`).MatchString(image) {
		t.Errorf("ARG %s does not pin the base image", image)
	}
	last := slices.IndexFunc(all, func(i instruction) bool { return i.rest == "scratch" })
	for word, want := range map[string]string{
		"USER": "65532:65532", "ENTRYPOINT": `["/callbridge"]`, "CMD": `["serve"]`, "EXPOSE": "8080 8081 4222",
	} {
		if got := rests(all[last:], word); !slices.Equal(got, []string{want}) {
			t.Errorf("%s %q, want %s", word, got, want)
		}
	}
	if check := rests(all[last:], "HEALTHCHECK"); len(check) != 1 || !strings.HasSuffix(check[0], `CMD ["/callbridge", "health"]`) {
		t.Errorf("HEALTHCHECK %q does not ask the binary itself", check)
	}
	if len(rests(all[last:], "RUN")) > 0 {
		t.Error("scratch has no shell to RUN anything")
	}
	if !slices.ContainsFunc(rests(all[last:], "COPY"), func(c string) bool { return strings.Contains(c, "ca-certificates.crt") }) {
		t.Error("without authorities, nothing can be said to Callab")
	}
}

func TestTheImagesEnvironmentIsKnown(t *testing.T) {
	t.Parallel()
	known := settings(t)
	for _, line := range rests(dockerfile(t), "ENV") {
		for pair := range strings.FieldsSeq(line) {
			if name, _, _ := strings.Cut(pair, "="); !slices.Contains(known, name) {
				t.Errorf("ENV %s is no variable of callbridge", name)
			}
		}
	}
}

// settings are the names of the variables that callbridge reads.
func settings(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`env:"([A-Z_]+)`).FindAllStringSubmatch(read(t, "../cmd/callbridge/settings.go"), -1) {
		names = append(names, m[1])
	}
	return names
}

// TestTheBuildGetsAllItNeeds: what .dockerignore drops is no source and no
// embedded file.
func TestTheBuildGetsAllItNeeds(t *testing.T) {
	t.Parallel()
	ignored := strings.Fields(read(t, "../.dockerignore"))
	for _, file := range sources(t) {
		for _, pattern := range ignored {
			for part := file; part != "."; part = path.Dir(part) {
				if match, _ := path.Match(pattern, part); match {
					t.Errorf(".dockerignore: %s drops %s", pattern, file)
				}
			}
		}
	}
}

// sources are the files that the binary is made of, seen from the root.
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
			continue // another module's
		}
		for _, f := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			files = append(files, path.Join(filepath.ToSlash(dir), f))
		}
	}
}
