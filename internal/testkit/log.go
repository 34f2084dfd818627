package testkit

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"callbridge/untrusted"
)

// Log captures a log while it is written: it is an io.Writer for several goroutines.
// The zero Log is empty.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Logger writes JSON lines of all levels into the log, as the process does.
func (l *Log) Logger() *slog.Logger {
	return untrusted.NewLogger(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write appends to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns the log so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines waits until the log has at least n lines, and decodes all of them as JSON objects.
func (l *Log) Lines(t testing.TB, n int) (lines []map[string]any) {
	t.Helper()
	Eventually(t, "enough log lines", func() bool { return strings.Count(l.String(), "\n") >= n })
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}
