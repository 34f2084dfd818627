package credential

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Files is what was read of files that hold secrets, by path.
type Files map[string][]byte

// ReadFile reads a file of a secret. A file that cannot be read or that is empty is an
// error. The path may lead over symbolic links that change, as those of Kubernetes do.
func ReadFile(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, fmt.Errorf("read secret: %s: %w", path, errEmpty)
	}
	return content, nil
}

var errEmpty = errors.New("it is empty")

// Read reads a file once and keeps what it has read. If the file cannot be used, Read keeps
// and returns what before has of it; only without that it returns an error.
func (f Files) Read(path string, before Files) ([]byte, error) {
	if content, done := f[path]; done {
		return content, nil
	}
	content, err := ReadFile(path)
	if err != nil {
		var known bool
		if content, known = before[path]; !known {
			return nil, err
		}
	}
	f[path] = content
	return content, nil
}

// Paths are the paths of the files, sorted.
func (f Files) Paths() []string { return slices.Sorted(maps.Keys(f)) }
