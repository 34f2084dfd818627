package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often the files are looked at, at most: a renewed
// certificate counts within a second, without a restart.
const certificateEvery = time.Second

// certificate is that of the public listener, read again when its files change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	looked time.Time
	seen   [2]fileState
}

// fileState tells whether a file is still the one that was read.
type fileState struct {
	modified time.Time
	size     int64
}

func stateOf(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}

// publicTLS is how the public listener speaks TLS; nil if it does not.
func publicTLS(s settings, log *slog.Logger) (*tls.Config, error) {
	if s.HTTPTLSCert == "" {
		return nil, nil
	}
	c := &certificate{certFile: s.HTTPTLSCert, keyFile: s.HTTPTLSKey, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("HTTP_TLS_CERT and HTTP_TLS_KEY cannot be used: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) load() error {
	c.looked, c.seen = time.Now(), [2]fileState{stateOf(c.certFile), stateOf(c.keyFile)}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.now = &pair
	return nil
}

// get returns the newest certificate. Files that cannot be used just now, such
// as one of two that is replaced, leave the one that was read before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certificateEvery {
		return c.now, nil
	}
	c.looked = time.Now()
	if c.seen == [2]fileState{stateOf(c.certFile), stateOf(c.keyFile)} {
		return c.now, nil
	}
	if err := c.load(); err != nil {
		c.log.Error("tls.reload_refused", "error", err, "hint", "the old certificate stays in force")
		return c.now, nil
	}
	c.log.Info("tls.reloaded", "not_after", c.now.Leaf.NotAfter)
	return c.now, nil
}
