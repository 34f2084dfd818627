package credential

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/internal/testkit"
)

// noBlank stands for the rules of a token.
func noBlank(text string) error {
	if strings.Contains(text, " ") {
		return errors.New("it has a blank")
	}
	return nil
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// again makes the next Get read the file.
func (s *Secret) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = s.read.Add(-2 * Every)
}

func TestUnusableSecretIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	for content, want := range map[string]string{"\n": "TOKEN_FILE " + file + ": it is empty", "hush hush\n": "TOKEN_FILE " + file + ": it has a blank"} {
		write(t, file, content)
		_, err := New("TOKEN", "", file, noBlank, nil)
		if err == nil || err.Error() != want {
			t.Errorf("file %q: %v, want %s", content, err, want)
		}
	}
	if _, err := New("TOKEN", "hush hush", "", noBlank, nil); err == nil || err.Error() != "TOKEN: it has a blank" {
		t.Errorf("variable: %v", err)
	}
	if _, err := New("TOKEN", "", file+".none", noBlank, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if s, err := New("TOKEN", " hush\n", "", noBlank, nil); err != nil || s.Get() != "hush" {
		t.Errorf("a usable one: %v", err)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "old\n")
	var log testkit.Log
	s, err := New("TOKEN", "", file, noBlank, log.Logger())
	if err != nil || s.Get() != "old" {
		t.Fatalf("got %v", err)
	}
	write(t, file, "new\n")
	testkit.Eventually(t, "the new secret counts", func() bool { return s.Get() == "new" })
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.again()
	if got := s.Get(); got != "new" {
		t.Errorf("%q without the file, want the one read before", got)
	}
}

func TestUnusableChangeKeepsTheSecretAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "good")
	var log testkit.Log
	s, err := New("TOKEN", "", file, noBlank, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"hush hush", "", "hush hush hush"} {
		write(t, file, bad)
		for range 3 {
			s.again()
			if got := s.Get(); got != "good" {
				t.Errorf("content %q: the secret is %q, want the one before", bad, got)
			}
		}
	}
	if text := log.String(); strings.Count(text, "credential.refused") != 3 || strings.Contains(text, "hush") {
		t.Errorf("want one line for each change, without the secret: %s", text)
	}
	write(t, file, "better")
	s.again()
	if got := s.Get(); got != "better" {
		t.Errorf("got %q, want the mended one", got)
	}
}
