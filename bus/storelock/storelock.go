// Package storelock locks the directory of the embedded NATS for one process. It
// belongs to package bus, and imports no package of this module.
package storelock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Lock is an exclusive lock on the store directory. nats-server has none: a
// second server starts on the same files without an error and destroys data. The
// kernel frees the lock when the process ends for any reason, so a process that
// holds it knows that all earlier processes on this directory have ended.
type Lock struct{ file *os.File }

var errLocked = errors.New("locked")

// Acquire locks a directory without waiting. The error says so if another process has
// the lock.
func Acquire(dir string) (*Lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, "callbridge.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock NATS store directory: %w", err)
	}
	if err := lockFile(file); err != nil {
		_ = file.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("NATS store directory %s is in use by another callbridge: stop it, or set NATS_STORE_DIR to another directory", dir)
		}
		return nil, fmt.Errorf("lock NATS store directory: %w", err)
	}
	return &Lock{file}, nil
}

// Release frees the lock. A nil Lock has nothing to free.
func (l *Lock) Release() {
	if l != nil {
		_ = l.file.Close()
	}
}
