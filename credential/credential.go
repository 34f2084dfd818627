// Package credential holds a secret of the process, such as the token of an API: from
// a variable, or from a file that may change while the process runs.
package credential

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// Every is the longest time between two reads of a file: a new secret is in use within
// this time, without a restart.
const Every = time.Second

// Secret is a secret of the process. It is safe for concurrent use.
type Secret struct {
	variable, file string
	check          func(string) error
	log            *slog.Logger

	mu    sync.Mutex
	value string
	read  time.Time
	// problem is the last one of the file that was logged.
	problem string
}

// New returns the secret that the variable has as its value or, if file is not empty,
// the one in the file that <variable>_FILE names. A secret that is empty, or that check
// refuses, is an error; check may be nil. No error quotes the secret.
func New(variable, value, file string, check func(string) error, log *slog.Logger) (*Secret, error) {
	s := &Secret{variable: variable, file: file, check: check, log: log, value: strings.TrimSpace(value)}
	if file != "" {
		s.variable += "_FILE"
		var err error
		if s.value, err = s.readFile(); err != nil {
			return nil, err
		}
		s.read = time.Now()
		return s, nil
	}
	if err := s.validate(s.value); err != nil {
		return nil, fmt.Errorf("%s: %w", s.variable, err)
	}
	return s, nil
}

// Get returns the newest secret. While the file cannot be read, or has one that cannot
// be used, it is the one that was read before.
func (s *Secret) Get() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == "" || time.Since(s.read) <= Every {
		return s.value
	}
	s.read = time.Now()
	value, err := s.readFile()
	if err != nil {
		s.report(err.Error())
		return s.value
	}
	s.value, s.problem = value, ""
	return s.value
}

// Problem returns why the file cannot be used now, or "".
func (s *Secret) Problem() string {
	s.Get()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// report logs a problem of the file once.
func (s *Secret) report(problem string) {
	if problem == s.problem {
		return
	}
	s.problem = problem
	s.log.Error("credential.refused", "variable", s.variable, "error", problem, "hint", "the previous one stays in use")
}

func (s *Secret) readFile() (string, error) {
	content, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", s.variable, err)
	}
	value := strings.TrimSpace(string(content))
	if err := s.validate(value); err != nil {
		return "", fmt.Errorf("%s %s: %w", s.variable, s.file, err)
	}
	return value, nil
}

func (s *Secret) validate(value string) error {
	if value == "" {
		return errors.New("it is empty")
	}
	if s.check == nil {
		return nil
	}
	return s.check(value)
}
