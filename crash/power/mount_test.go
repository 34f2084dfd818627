//go:build linux

package power_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"callbridge/crash/power"
)

func mount(t *testing.T, d *power.Disk) string {
	t.Helper()
	dir := t.TempDir()
	if err := power.Available(); err != nil {
		t.Skip("not run: ", err)
	}
	unmount, err := d.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// The file system behaves as the one below it does.
func TestMountBehavesAsADirectory(t *testing.T) {
	t.Parallel()
	mounted, plain := mount(t, power.New(power.Options{})), t.TempDir()
	for seed := range uint64(3) {
		for step := range 300 {
			random := func() *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(step))) }
			got, want := act(mounted, random()), act(plain, random())
			if (got == nil) != (want == nil) {
				t.Fatalf("seed %d, step %d: %v, want %v", seed, step, got, want)
			}
		}
		if got, want := content(t, mounted), content(t, plain); !maps.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, maps.Keys(got), maps.Keys(want))
		}
	}
}

// act makes one random change below dir.
func act(dir string, random *rand.Rand) error {
	pick := func() string {
		name := fmt.Sprintf("f%d", random.IntN(5))
		if random.IntN(2) == 0 {
			name = filepath.Join(fmt.Sprintf("d%d", random.IntN(2)), name)
		}
		return filepath.Join(dir, name)
	}
	name, data, offset := pick(), bytes.Repeat([]byte{byte(random.IntN(256))}, random.IntN(20_000)), int64(random.IntN(9000))
	switch random.IntN(9) {
	case 0:
		return os.Mkdir(filepath.Dir(name), 0o755)
	case 1:
		return os.Remove(name)
	case 2:
		return os.Rename(name, pick())
	case 3:
		return os.Truncate(name, offset)
	case 4:
		return os.Chmod(name, fs.FileMode(0o600+random.IntN(2)*0o44))
	case 5:
		return os.Remove(filepath.Dir(name))
	case 6:
		return appendTo(name, data)
	default:
		return writeAt(name, data, offset)
	}
}

func appendTo(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(data)
	return err
}

func writeAt(name string, data []byte, offset int64) error {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = file.WriteAt(data, offset); err != nil {
		return err
	}
	return file.Sync()
}

// content returns mode, size and bytes of all below dir.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var data []byte
		if !e.IsDir() {
			if data, err = os.ReadFile(name); err != nil {
				return err
			}
		}
		relative, err := filepath.Rel(dir, name)
		all[relative] = fmt.Sprintf("%s %d %s", info.Mode(), len(data), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMountKnowsWhatWasFlushed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write func(dir string) error
		want  string
	}{
		"fsync of file and directory": {func(dir string) error {
			return flushed(dir, os.O_CREATE|os.O_WRONLY, true)
		}, "text"},
		"without fsync of the file": {func(dir string) error { return flushed(dir, os.O_CREATE|os.O_WRONLY, false) }, ""},
		"a file opened with O_SYNC": {func(dir string) error { return flushed(dir, os.O_CREATE|os.O_WRONLY|os.O_SYNC, false) }, "text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := power.New(power.Options{})
			if err := c.write(mount(t, d)); err != nil {
				t.Fatal(err)
			}
			d.Cut()
			got, err := os.ReadFile(filepath.Join(mount(t, d.Survivor(nil)), "a"))
			if err != nil || string(got) != c.want {
				t.Errorf("left %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// flushed writes a file, and flushes the directory and, if wanted, the file.
func flushed(dir string, flags int, file bool) error {
	f, err := os.OpenFile(filepath.Join(dir, "a"), flags, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("text"); err != nil {
		return err
	}
	if file {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func TestRenamesAreReported(t *testing.T) {
	t.Parallel()
	names := make(chan string, 1)
	dir := mount(t, power.New(power.Options{Renamed: func(name string) { names <- name }}))
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if got := <-names; got != "b" {
		t.Errorf("reported %q", got)
	}
}
