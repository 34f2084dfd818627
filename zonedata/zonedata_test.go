package zonedata

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// offsets are those of regions that changed their clocks in 2026, and of some that never
// change them. Source: the releases 2026a to 2026f of the time zone database.
var offsets = []struct{ zone, at, want string }{
	{"America/Vancouver", "2026-12-15T12:00:00Z", "-07:00"},
	{"America/Edmonton", "2026-12-15T12:00:00Z", "-06:00"},
	{"America/Yellowknife", "2026-12-15T12:00:00Z", "-06:00"},
	{"America/Winnipeg", "2026-12-15T12:00:00Z", "-05:00"},
	{"Africa/Casablanca", "2026-12-15T12:00:00Z", "+00:00"},
	{"America/Havana", "2026-12-15T12:00:00Z", "-04:00"},
	{"America/Phoenix", "2026-07-15T12:00:00Z", "-07:00"},
	{"America/Phoenix", "2026-12-15T12:00:00Z", "-07:00"},
	{"America/Regina", "2026-07-15T12:00:00Z", "-06:00"},
	{"America/Regina", "2026-12-15T12:00:00Z", "-06:00"},
	{"America/New_York", "2026-12-15T12:00:00Z", "-05:00"},
	{"Europe/Berlin", "2026-07-15T12:00:00Z", "+02:00"},
}

// wrong lists the offsets that differ with the zones of a database.
func wrong(load func(string) (*time.Location, error)) (zones []string) {
	for _, o := range offsets {
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			panic(err)
		}
		location, err := load(o.zone)
		if err != nil || at.In(location).Format("-07:00") != o.want {
			zones = append(zones, o.zone)
		}
	}
	return zones
}

func TestChangesOf2026(t *testing.T) {
	t.Parallel()
	if zones := wrong(Load); zones != nil {
		t.Errorf("%s has other offsets in %v", Version(), zones)
	}
	// The data inside Go 1.26.8 are of 2025.
	if zones := wrong(inGo(t)); runtime.Version() == "go1.26.8" && len(zones) < 6 {
		t.Errorf("only %v differ in the data of %s: they cannot show that ours are newer", zones, runtime.Version())
	}
}

// zonesOfGo is the archive of the Go that runs the test.
func zonesOfGo(t *testing.T) string {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip")
}

// inGo loads zones from the data that Go would embed.
func inGo(t *testing.T) func(string) (*time.Location, error) {
	content, err := os.ReadFile(zonesOfGo(t))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	d := &database{files: map[string]*zip.File{}}
	for _, file := range archive.File {
		d.files[file.Name] = file
	}
	return d.load
}

func TestRelease(t *testing.T) {
	t.Parallel()
	released := Released()
	if !strings.HasPrefix(Version(), released.Format("2006")) {
		t.Errorf("%s was released on %s", Version(), released.Format(time.DateOnly))
	}
	if at := released.Add(MaxAge); IsOld(at) || !IsOld(at.Add(time.Second)) {
		t.Error("a release is old after 120 days")
	}
	if n := len(current.Load().files); n < 590 {
		t.Errorf("%d zones", n)
	}
	for name := range current.Load().files {
		if _, err := Load(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLoadRefusesOtherNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Local", "localtime", "Factory", "posix/Europe/Berlin", "../../etc/passwd", "europe/berlin"} {
		if location, err := Load(name); err == nil {
			t.Errorf("%q is %s", name, location)
		}
	}
}

// TestUse is not parallel: it replaces the release that other tests read.
func TestUse(t *testing.T) {
	before := current.Load()
	t.Cleanup(func() { current.Store(before) })
	write := func(content []byte) string {
		file := filepath.Join(t.TempDir(), "zoneinfo.zip")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	berlin := map[string]string{"Europe/Berlin": "UTC"}
	for name, content := range map[string][]byte{
		"no archive":        []byte("2026f"),
		"no release":        archive(t, "", berlin),
		"no date":           archive(t, "2027a tomorrow", berlin),
		"no zones":          archive(t, "2027a 2027-01-20", nil),
		"what is no zone":   archive(t, "2027a 2027-01-20", map[string]string{"Europe/Berlin": ""}),
		"the archive of Go": nil,
	} {
		file := write(content)
		if name == "the archive of Go" {
			file = zonesOfGo(t)
		}
		if err := Use(file); err == nil || !strings.Contains(err.Error(), "TZDATA_FILE") || current.Load() != before {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Use(filepath.Join(t.TempDir(), "missing.zip")); err == nil || current.Load() != before {
		t.Errorf("a missing file: %v", err)
	}
	if err := Use(write(archive(t, "2027a 2027-01-20 a package", berlin))); err != nil {
		t.Fatal(err)
	}
	if _, err := Load("Europe/Paris"); Version() != "2027a" || err == nil {
		t.Errorf("%s is in use; Europe/Paris: %v", Version(), err)
	}
}

// archive makes an archive of zones, each with the content of another one of ours.
func archive(t *testing.T, comment string, zones map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	if err := w.SetComment(comment); err != nil {
		t.Fatal(err)
	}
	for name, from := range zones {
		content := []byte("no zone")
		if from != "" {
			content = zone(t, from)
		}
		file, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zone(t *testing.T, name string) []byte {
	t.Helper()
	file, err := current.Load().files[name].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var content bytes.Buffer
	if _, err := content.ReadFrom(file); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}
