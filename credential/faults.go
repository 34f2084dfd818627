package credential

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Faults says which files of secrets cannot be used now. Their earlier secrets stay
// in use.
type Faults struct {
	mu sync.Mutex
	// why is by path.
	why map[string]string
	// refused is the content with which the configuration is not valid, by path. It is
	// not tried again.
	refused map[string][]byte
}

// Add records why a file cannot be used, and logs it once.
func (f *Faults) Add(log *slog.Logger, path string, err error, refused []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why == nil {
		f.why, f.refused = map[string]string{}, map[string][]byte{}
	}
	f.refused[path] = refused
	if why := strings.ReplaceAll(err.Error(), "\n", "; "); f.why[path] != why {
		f.why[path] = why
		log.Error("config.secret_refused", "file", path, "error", err, "hint", "the previous secret stays in use")
	}
}

// IsRefused reports whether the file has the content that was refused.
func (f *Faults) IsRefused(path string, content []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused[path] != nil && bytes.Equal(f.refused[path], content)
}

// Clear records that a file can be used.
func (f *Faults) Clear(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.why, path)
	delete(f.refused, path)
}

// Forget removes files that the configuration does not name any more.
func (f *Faults) Forget(named Files) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.why, func(path, _ string) bool { return named[path] == nil })
}

// Problems returns why files cannot be used, sorted.
func (f *Faults) Problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Values(f.why))
}
