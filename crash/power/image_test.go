//go:build linux

package power_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"callbridge/crash/power"
)

func TestImageKeepsWhatWasFlushed(t *testing.T) {
	t.Parallel()
	for _, s := range []power.FileSystem{power.XFS, power.Ext4, power.Btrfs} {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			if err := s.Missing(); err != nil {
				t.Skip("not run: ", err)
			}
			d := power.New(power.Options{})
			want := map[string]string{}
			for round := range uint64(3) {
				dir := t.TempDir()
				unmount, err := d.MountImage(s, dir)
				if err != nil {
					t.Fatal(err)
				}
				if got := files(t, dir); !maps.Equal(got, want) {
					t.Errorf("round %d: left %v, want %v", round, got, want)
				}
				name := string(rune('a' + round))
				write(t, filepath.Join(dir, name), "flushed", true)
				want[name] = "flushed"
				write(t, filepath.Join(dir, "z"), "not flushed", false)
				d.Cut()
				_ = unmount() // the file system may complain that its disk is gone
				d = d.Survivor(rand.New(rand.NewPCG(round, 0)))
			}
		})
	}
}

// files returns the files of a directory that write has flushed.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			found[name] = string(data)
		}
	}
	return found
}

func write(t *testing.T, name, text string, flush bool) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if !flush {
		return
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		t.Fatal(err)
	}
}
