package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"callbridge/bus/flush"
)

// markName is the file that remembers a failed flush until the store is written again.
// Its first line is markOK, or when and why a flush failed.
const (
	markName = "callbridge.flush"
	markOK   = "ok"
	// markBytes is the size of the file: a full disk refuses a new file, and takes
	// other bytes in an old one.
	markBytes = 512
)

func (c Config) markPath() string { return filepath.Join(c.Dir, markName) }

// repair writes the store again if a flush has failed since it was last written. The
// kernel reports a failed fsync once, and takes what it could not write for written:
// what this process reads, and answers for, may not be on the disk.
func (s *Server) repair() error {
	content, err := os.ReadFile(s.config.markPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read whether a flush has failed: %w", err)
	}
	failure, _, _ := bytes.Cut(content, []byte("\n"))
	if err == nil && string(failure) != markOK {
		s.log.Warn("nats.rewriting_store", "failed_flush", string(failure),
			"hint", "a flush to the disk has failed: look at the disk and at the kernel's log")
		if err := flush.Rewrite(s.config.JetStreamDir()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a flush of NATS store directory %s has failed (%s), and its files cannot be written again: %w; repair the disk or copy the directory to another one, then start again",
				s.config.Dir, failure, err)
		}
	}
	return s.writeMark(markOK)
}

// writeMark writes the first line of the file.
func (s *Server) writeMark(line string) error {
	text := make([]byte, 0, markBytes)
	text = append(text, line[:min(len(line), markBytes-1)]...)
	text = append(text, '\n')
	text = append(text, bytes.Repeat([]byte(" "), markBytes-len(text))...)
	file, err := os.OpenFile(s.config.markPath(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(text)
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		return fmt.Errorf("NATS store directory %s cannot be written: %w; free space or repair the disk, then start again", s.config.Dir, err)
	}
	return nil
}

// mark remembers a failed flush for the next start. A disk that takes nothing any more
// may refuse this too.
func (s *Server) mark(cause error) {
	if err := s.writeMark(time.Now().UTC().Format(time.RFC3339) + " " + cause.Error()); err != nil {
		s.log.Error("nats.flush_failure_not_remembered", "error", err,
			"hint", "before the next start, copy the store to another disk")
	}
}

// flushFailed remembers a failed flush of ours and stops the intake.
func (s *Server) flushFailed(cause error) {
	s.mark(cause)
	s.Inspect()
}
