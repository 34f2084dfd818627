// Command sbom prints the software bill of materials of a Go binary: the modules that
// are linked into it and the Go release that built it, as CycloneDX 1.6 in JSON
// (https://cyclonedx.org/docs/1.6/json/). The data are those that the Go linker writes
// into each binary. The same binary gives the same output.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read build information of %s: %w", file, err)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(describe(info))
}

// The objects of CycloneDX that are used.
type (
	bom struct {
		BOMFormat   string      `json:"bomFormat"`
		SpecVersion string      `json:"specVersion"`
		Version     int         `json:"version"`
		Metadata    metadata    `json:"metadata"`
		Components  []component `json:"components"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		BOMRef     string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// describe lists what is linked into a binary. A module that is replaced is listed as
// what replaces it.
func describe(info *buildinfo.BuildInfo) bom {
	program := module("application", &info.Main)
	program.Properties = settings(info)
	components := []component{{
		Type: "library", BOMRef: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), Name: "std",
		Version: strings.TrimPrefix(info.GoVersion, "go"), PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, module("library", m))
	}
	return bom{BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{program}, Components: components}
}

func module(kind string, m *debug.Module) component {
	purl := "pkg:golang/" + m.Path
	if m.Version != "" {
		purl += "@" + strings.NewReplacer("+", "%2B", "(", "%28", ")", "%29").Replace(m.Version)
	}
	c := component{Type: kind, BOMRef: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}

// settings are the settings of the build that change what is linked.
func settings(info *buildinfo.BuildInfo) (all []property) {
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "-tags", "vcs.revision":
			all = append(all, property{"go:build:" + s.Key, s.Value})
		}
	}
	return all
}
