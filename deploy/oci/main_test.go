package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

// unpacked reads a tar file.
func unpacked(t *testing.T, in io.Reader) (contents map[string][]byte, headers map[string]*tar.Header) {
	t.Helper()
	contents, headers = map[string][]byte{}, map[string]*tar.Header{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return contents, headers
		}
		if err != nil {
			t.Fatal(err)
		}
		if contents[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		headers[h.Name] = h
	}
}

// archive makes an archive for two architectures and returns its bytes.
func archive(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	binary, out := testkit.File(t, "callbridge", "a program"), filepath.Join(dir, "image.tar")
	if err := run(out, "v1.2.3", testkit.File(t, "roots.crt", "certificates"), []string{"amd64=" + binary, "arm64=" + binary}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestArchiveIsAnImageLayout follows the digests from the index to the files.
func TestArchiveIsAnImageLayout(t *testing.T) {
	t.Parallel()
	first := archive(t)
	if !bytes.Equal(first, archive(t)) {
		t.Error("the same input gives another archive")
	}
	contents, _ := unpacked(t, bytes.NewReader(first))
	blob := func(d descriptor, into any) {
		t.Helper()
		content := contents["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
		sum := sha256.Sum256(content)
		if d.Digest != "sha256:"+hex.EncodeToString(sum[:]) || d.Size != len(content) {
			t.Fatalf("%s is not what its digest says", d.Digest)
		}
		if err := json.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
	var top, platforms index
	if err := json.Unmarshal(contents["index.json"], &top); err != nil || len(top.Manifests) != 1 {
		t.Fatalf("index.json: %v", err)
	}
	if blob(top.Manifests[0], &platforms); len(platforms.Manifests) != 2 {
		t.Fatalf("%d platforms", len(platforms.Manifests))
	}
	for _, p := range platforms.Manifests {
		var m manifest
		var c imageConfig
		blob(p, &m)
		blob(m.Config, &c)
		packed, err := gzip.NewReader(bytes.NewReader(contents["blobs/"+strings.Replace(m.Layers[0].Digest, ":", "/", 1)]))
		if err != nil {
			t.Fatal(err)
		}
		layer, err := io.ReadAll(packed)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(layer)
		if c.RootFS.DiffIDs[0] != "sha256:"+hex.EncodeToString(sum[:]) || c.Architecture != p.Platform.Architecture {
			t.Errorf("the configuration of %s names another layer", p.Platform.Architecture)
		}
		files, headers := unpacked(t, bytes.NewReader(layer))
		if string(files["callbridge"]) != "a program" || headers["callbridge"].Mode != 0o755 || headers["data/"].Uid != user || len(files["etc/ssl/certs/ca-certificates.crt"]) == 0 {
			t.Errorf("the layer has %v", headers)
		}
	}
}

// TestImageIsThatOfTheDockerfile compares the settings.
func TestImageIsThatOfTheDockerfile(t *testing.T) {
	t.Parallel()
	_, last, _ := strings.Cut(testkit.Read(t, "Dockerfile"), "\nFROM scratch\n")
	value := func(word string) string {
		found := regexp.MustCompile(`(?m)^` + word + ` (.*)$`).FindStringSubmatch(last)
		if found == nil {
			t.Fatalf("the Dockerfile has no %s", word)
		}
		return found[1]
	}
	s := configured("v1")
	for _, port := range strings.Fields(value("EXPOSE")) {
		if _, ok := s.ExposedPorts[port+"/tcp"]; !ok {
			t.Errorf("port %s is missing", port)
		}
	}
	if len(s.ExposedPorts) != len(strings.Fields(value("EXPOSE"))) || s.User != value("USER") || strings.Join(s.Env, " ") != value("ENV") {
		t.Errorf("%+v", s)
	}
	if value("ENTRYPOINT") != `["`+s.Entrypoint[0]+`"]` || value("CMD") != `["`+s.Cmd[0]+`"]` || len(s.Volumes) != len(strings.Fields(value("VOLUME"))) {
		t.Errorf("%+v", s)
	}
}

func TestMissingInputIsSaid(t *testing.T) {
	t.Parallel()
	for want, arguments := range map[string][]string{
		"write ARCHITECTURE=BINARY": {"amd64"}, "read binary": {"amd64=missing"}, "give -version": {},
	} {
		if err := run(filepath.Join(t.TempDir(), "image.tar"), "v1", testkit.File(t, "roots.crt", ""), arguments); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", arguments, err, want)
		}
	}
}
