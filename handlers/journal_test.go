package handlers_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal is a log to read while it is written: the line about a webhook that
// was taken comes after its answer.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	// more has room for one sign that there is another line.
	more chan struct{}
	// read is how many lines a test has seen.
	read int
}

func newJournal() *journal { return &journal{more: make(chan struct{}, 1)} }

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.more <- struct{}{}:
	default:
	}
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns the log as soon as it has so many lines.
func (j *journal) await(t *testing.T, lines int) string {
	t.Helper()
	end := time.After(30 * time.Second)
	for {
		if text := j.String(); strings.Count(text, "\n") >= lines {
			return text
		}
		select {
		case <-j.more:
		case <-end:
			t.Fatalf("the log has no %d lines:\n%s", lines, j)
		}
	}
}

// next returns the log as soon as it has more lines than a test has seen.
func (j *journal) next(t *testing.T) string {
	t.Helper()
	text := j.await(t, j.read+1)
	j.read = strings.Count(text, "\n")
	return text
}
