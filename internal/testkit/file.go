package testkit

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
)

// Update is the flag -update: tests with golden files write them instead of comparing.
var Update = flag.Bool("update", false, "write golden files instead of comparing them")

// Path returns the absolute path of a file of the repository, named from its root.
func Path(name string) string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("testkit: the program does not know its source files")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", filepath.FromSlash(name))
}

// Read returns the text of a file of the repository, named from its root.
func Read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Block returns the first fenced block of a language in a page of the repository.
func Block(t testing.TB, page, language string) string {
	t.Helper()
	fence := regexp.MustCompile("(?s)```" + regexp.QuoteMeta(language) + "\n(.*?)```")
	found := fence.FindStringSubmatch(Read(t, page))
	if found == nil {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return found[1]
}

// File writes a text to a new file, which is removed when the test ends, and returns its path.
func File(t testing.TB, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Golden compares a text with a file, or writes the file when -update is given.
func Golden(t testing.TB, file, got string) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it\ngot  %s\nwant %s", file, got, want)
	}
}

// JSON encodes a value, or indents one that is encoded already ([]byte, string,
// json.RawMessage), so that two can be compared line by line. It ends with a newline.
func JSON(t testing.TB, value any) string {
	t.Helper()
	switch encoded := value.(type) {
	case []byte:
		value = json.RawMessage(encoded)
	case string:
		value = json.RawMessage(encoded)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
