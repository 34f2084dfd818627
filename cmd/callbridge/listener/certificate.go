package listener

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateEvery is the shortest time between two checks of the files. A renewed
// certificate is in use within this time, without a restart.
const certificateEvery = time.Second

// certificate is the TLS certificate of a server. It is loaded again when its
// files change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	checked time.Time
	loaded  [2]fileState
}

// fileState changes when a file is written or replaced.
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

// Certificate returns the TLS configuration of a server whose certificate and key are in
// files, PEM. A renewed certificate is in use within a second.
func Certificate(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) load() error {
	c.checked, c.loaded = time.Now(), [2]fileState{stateOf(c.certFile), stateOf(c.keyFile)}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current = &pair
	return nil
}

// get returns the newest certificate. While the files cannot be used, for example because
// only one of the two has been replaced, it returns the one that was loaded before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateEvery {
		return c.current, nil
	}
	c.checked = time.Now()
	if c.loaded == [2]fileState{stateOf(c.certFile), stateOf(c.keyFile)} {
		return c.current, nil
	}
	if err := c.load(); err != nil {
		c.log.Error("tls.reload_refused", "error", err, "hint", "the previous certificate stays in use")
		return c.current, nil
	}
	c.log.Info("tls.reloaded", "not_after", c.current.Leaf.NotAfter)
	return c.current, nil
}
