// Package zonedata is the time zone database that callbridge uses: a release of its own,
// which is newer than the one inside Go. With old data a call is made an hour after
// closing where a country has changed its clocks. Neither the data of Go nor those of
// the machine are read. TZDATA_FILE replaces the release without a new binary (Use).
//
// zoneinfo.zip is the database of IANA (public domain), as Debian's package tzdata has
// compiled it. Its comment names the release, its date, the package and the checksum of
// the package. update.sh makes it again. The package imports nothing of this module.
package zonedata

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

//go:embed zoneinfo.zip
var embedded []byte

// MaxAge is the age from which a release counts as old: IANA has published a new one at
// least every 120 days for many years (six in 2026).
const MaxAge = 120 * 24 * time.Hour

// database is one release.
type database struct {
	// version is the name of the release, such as 2026f.
	version  string
	released time.Time
	// files are the compiled zones by name.
	files map[string]*zip.File
	// loaded keeps the zones that were used: name → *time.Location.
	loaded sync.Map
}

// current is the release in use.
var current atomic.Pointer[database]

func init() {
	d, err := open(embedded)
	if err != nil {
		panic("zonedata: zoneinfo.zip: " + err.Error()) // the tests open it
	}
	current.Store(d)
}

// Version is the release in use, such as 2026f.
func Version() string { return current.Load().version }

// Released is the day on which the release in use was published.
func Released() time.Time { return current.Load().released }

// IsOld reports whether the release in use is older than MaxAge. Then a newer one
// exists most likely.
func IsOld(now time.Time) bool { return now.Sub(Released()) > MaxAge }

// Load returns the zone that has exactly this name in the database. It refuses Local,
// the zone of the machine.
func Load(name string) (*time.Location, error) { return current.Load().load(name) }

// Use reads an archive that update.sh has made, and replaces the release in use by it.
// It has to be called before Load: zones that are loaded already stay as they are.
func Use(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read TZDATA_FILE: %w", err)
	}
	d, err := open(content)
	if err != nil {
		return fmt.Errorf("read TZDATA_FILE %s: %w; zonedata/update.sh makes such a file", file, err)
	}
	current.Store(d)
	return nil
}

// open reads an archive, and refuses one that does not say which release it is, or that
// has no zones.
func open(content []byte) (*database, error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(archive.Comment, " ")
	day, _, _ := strings.Cut(rest, " ")
	released, err := time.Parse(time.DateOnly, day)
	if err != nil || version == "" {
		return nil, fmt.Errorf("its comment %q names no release and date", archive.Comment)
	}
	d := &database{version: version, released: released, files: make(map[string]*zip.File, len(archive.File))}
	for _, file := range archive.File {
		d.files[file.Name] = file
	}
	if _, err := d.load("Europe/Berlin"); err != nil {
		return nil, err
	}
	return d, nil
}

// maxZone bounds the size of one compiled zone. The largest has 4 kB.
const maxZone = 64 << 10

func (d *database) load(name string) (*time.Location, error) {
	if location, ok := d.loaded.Load(name); ok {
		return location.(*time.Location), nil
	}
	file := d.files[name]
	if file == nil {
		return nil, fmt.Errorf("no time zone %q", name)
	}
	reader, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("read time zone %q: %w", name, err)
	}
	defer reader.Close()
	content, err := io.ReadAll(io.LimitReader(reader, maxZone))
	if err != nil {
		return nil, fmt.Errorf("read time zone %q: %w", name, err)
	}
	location, err := time.LoadLocationFromTZData(name, content)
	if err != nil {
		return nil, fmt.Errorf("read time zone %q: %w", name, err)
	}
	d.loaded.Store(name, location)
	return location, nil
}
