// Command oci writes an image archive without a container engine: the image of the
// Dockerfile, for one or several platforms, as an OCI image layout in a tar file
// (https://github.com/opencontainers/image-spec, image-layout.md). `docker load`, `podman
// load` and `skopeo copy oci-archive:` read it. The same binaries give the same archive.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "callbridge.tar", "file to write")
	version := flag.String("version", "", "tag of the image")
	certificates := flag.String("certificates", "/etc/ssl/certs/ca-certificates.crt", "root certificates of the image")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: oci -version V [-o FILE] ARCHITECTURE=BINARY...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*out, *version, *certificates, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
}

func run(out, version, certificates string, binaries []string) error {
	if version == "" || len(binaries) == 0 {
		return fmt.Errorf("give -version, and a binary for each architecture, such as amd64=bin/callbridge")
	}
	roots, err := os.ReadFile(certificates)
	if err != nil {
		return fmt.Errorf("read root certificates: %w; name a file with -certificates", err)
	}
	layout := &layout{}
	var images []descriptor
	for _, b := range binaries {
		architecture, file, ok := strings.Cut(b, "=")
		if !ok {
			return fmt.Errorf("%s: write ARCHITECTURE=BINARY", b)
		}
		program, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read binary: %w", err)
		}
		image, err := layout.image(architecture, version, program, roots)
		if err != nil {
			return fmt.Errorf("make image for %s: %w", architecture, err)
		}
		images = append(images, image)
	}
	return layout.write(out, version, images)
}

// The objects of the specification that are used.
type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *platform         `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	}
	manifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}
	index struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}
	imageConfig struct {
		platform
		Config  settings `json:"config"`
		RootFS  rootFS   `json:"rootfs"`
		History []any    `json:"history"`
	}
	settings struct {
		User         string
		ExposedPorts map[string]struct{}
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Volumes      map[string]struct{}
		Labels       map[string]string
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
)

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// user is the one of the Dockerfile.
const user = 65532

// configured are the settings of the Dockerfile. A test compares them.
func configured(version string) settings {
	return settings{
		User: "65532:65532", Env: []string{"CONFIG_FILE=/etc/callbridge/callbridge.yaml", "NATS_STORE_DIR=/data"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}, "4222/tcp": {}},
		Entrypoint:   []string{"/callbridge"}, Cmd: []string{"serve"}, Volumes: map[string]struct{}{"/data": {}},
		Labels: map[string]string{"org.opencontainers.image.version": version},
	}
}

// layout collects the blobs of an image layout.
type layout struct {
	names []string
	blobs map[string][]byte
}

func (l *layout) add(kind string, blob []byte) descriptor {
	sum := sha256.Sum256(blob)
	name := hex.EncodeToString(sum[:])
	if l.blobs == nil {
		l.blobs = map[string][]byte{}
	}
	if _, known := l.blobs[name]; !known {
		l.names = append(l.names, name)
	}
	l.blobs[name] = blob
	return descriptor{MediaType: kind, Digest: "sha256:" + name, Size: len(blob)}
}

func (l *layout) addJSON(kind string, value any) (descriptor, error) {
	blob, err := json.Marshal(value)
	return l.add(kind, blob), err
}

// image adds the image of one architecture.
func (l *layout) image(architecture, version string, program, roots []byte) (descriptor, error) {
	files, err := files(program, roots)
	if err != nil {
		return descriptor{}, err
	}
	unpacked := sha256.Sum256(files)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(files); err != nil {
		return descriptor{}, err
	}
	if err := w.Close(); err != nil {
		return descriptor{}, err
	}
	p := platform{OS: "linux", Architecture: architecture}
	layer := l.add(layerType, packed.Bytes())
	config, err := l.addJSON(configType, imageConfig{
		platform: p, Config: configured(version), History: []any{},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + hex.EncodeToString(unpacked[:])}},
	})
	if err != nil {
		return descriptor{}, err
	}
	image, err := l.addJSON(manifestType, manifest{SchemaVersion: 2, MediaType: manifestType, Config: config, Layers: []descriptor{layer}})
	image.Platform = &p
	return image, err
}

// files is the only layer: what the Dockerfile copies.
func files(program, roots []byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		name    string
		mode    int64
		owner   int
		content []byte
	}{
		{"etc/", 0o755, 0, nil}, {"etc/ssl/", 0o755, 0, nil}, {"etc/ssl/certs/", 0o755, 0, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0, roots}, {"callbridge", 0o755, 0, program}, {"data/", 0o755, user, nil},
	} {
		if err := entry(w, f.name, f.mode, f.owner, f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// entry adds a file, or a directory if the name ends with a slash. Its time is fixed, so
// that the same content gives the same archive.
func entry(w *tar.Writer, name string, mode int64, owner int, content []byte) error {
	h := &tar.Header{Name: name, Mode: mode, Uid: owner, Gid: owner, Size: int64(len(content)), ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
	if strings.HasSuffix(name, "/") {
		h.Typeflag = tar.TypeDir
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(content))
	return err
}

// write writes the archive: the index of all platforms with the tag, and the blobs.
func (l *layout) write(file, version string, images []descriptor) error {
	list, err := l.addJSON(indexType, index{2, indexType, images})
	if err != nil {
		return err
	}
	list.Annotations = map[string]string{"org.opencontainers.image.ref.name": version, "io.containerd.image.name": "callbridge:" + version}
	top, err := json.Marshal(index{2, indexType, []descriptor{list}})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range append([]struct {
		name    string
		content []byte
	}{{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", top}}, l.entries()...) {
		if err := entry(w, e.name, 0o644, 0, e.content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}

func (l *layout) entries() (all []struct {
	name    string
	content []byte
}) {
	for _, name := range l.names {
		all = append(all, struct {
			name    string
			content []byte
		}{"blobs/sha256/" + name, l.blobs[name]})
	}
	return all
}
