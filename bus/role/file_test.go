package role

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestEnsureGeneratesOncePerRole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range Names {
		if len(first[name]) < 20 || seen[first[name]] {
			t.Errorf("the password of %s has %d characters, or is not its own", name, len(first[name]))
		}
		seen[first[name]] = true
	}
	again, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names {
		if again[name] != first[name] {
			t.Errorf("%s has another password after a restart", name)
		}
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %04o", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, FileName+".*")); left != nil {
		t.Errorf("files are left over: %v", left)
	}
}

func TestEnsureAddsTheRoleThatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "# ours\nbridge:"+first[Bridge]+"\n\n", 0o600)
	again, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again[Bridge] != first[Bridge] || again[Reader] == "" || again[Reader] == first[Reader] {
		t.Error("want the password that was there, and new ones for the others")
	}
}

func TestReadRefusesWhatOthersCanReadAndWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"of a group":     {"bridge:0123456789abcdef\n", 0o640, "mode 0640"},
		"of everybody":   {"bridge:0123456789abcdef\n", 0o604, "mode 0604"},
		"no password":    {"bridge\n", 0o600, "line 1"},
		"short password": {"# x\nbridge:tiny\n", 0o600, "line 2"},
		"no URL":         {"bridge:0123456789/bc@ef\n", 0o600, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.mode != 0o600 {
				return // Windows has no such modes
			}
			dir := t.TempDir()
			write(t, dir, c.text, c.mode)
			_, err := Ensure(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "0123456789") || strings.Contains(err.Error(), "tiny") {
				t.Errorf("error %v, want one with %q and no password", err, c.want)
			}
		})
	}
}

// TestEnsureRefusesAFileOfSomebodyElse: its passwords are known to who has made it. A
// file of another user can be made by root only.
func TestEnsureRefusesAFileOfSomebodyElse(t *testing.T) {
	t.Parallel()
	known := "bridge:" + strings.Repeat("known", 4) + "\n"
	elsewhere, dir := t.TempDir(), t.TempDir()
	write(t, elsewhere, known, 0o600)
	if err := os.Symlink(filepath.Join(elsewhere, FileName), filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(dir); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a link: %v", err)
	}
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		return
	}
	dir = t.TempDir()
	write(t, dir, known, 0o600)
	if err := os.Chown(filepath.Join(dir, FileName), 4711, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(dir); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("a file of another user: %v", err)
	}
	if _, err := Read(dir); err != nil {
		t.Errorf("root cannot read it for callbridge results: %v", err)
	}
}

func write(t *testing.T, dir, text string, mode os.FileMode) {
	t.Helper()
	name := filepath.Join(dir, FileName)
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}
