package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// tokenEvery is how old a token that was read from CALLAB_TOKEN_FILE may be:
// a new one counts within a second, without a restart.
const tokenEvery = time.Second

// token gives Callab's bearer token for each request.
type token struct {
	mu    sync.Mutex
	file  string
	value string
	read  time.Time
}

// newToken takes the token from the settings. Without one `serve` must not
// start: every call would be refused.
func newToken(s callabSettings) (*token, error) {
	t := &token{file: s.TokenFile, value: s.Token}
	if t.file == "" {
		if strings.TrimSpace(t.value) == "" {
			return nil, errors.New("CALLAB_TOKEN is not set: put Callab's API key there, or the path of a file that holds it into CALLAB_TOKEN_FILE")
		}
		return t, nil
	}
	content, err := os.ReadFile(t.file)
	if err != nil {
		return nil, fmt.Errorf("read CALLAB_TOKEN_FILE: %w", err)
	}
	if strings.TrimSpace(string(content)) == "" {
		return nil, fmt.Errorf("CALLAB_TOKEN_FILE %s is empty", t.file)
	}
	return t, nil
}

// get returns the newest token. A file that cannot be read just now leaves the
// token that was read before.
func (t *token) get() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != "" && time.Since(t.read) > tokenEvery {
		if content, err := os.ReadFile(t.file); err == nil {
			t.value = string(content)
		}
		t.read = time.Now()
	}
	return strings.TrimSpace(t.value)
}
