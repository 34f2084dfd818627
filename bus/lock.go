package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// storeLock holds the store directory for this process. nats-server does not:
// a second one on the same files starts without a word and destroys data. The
// kernel frees the lock when the process ends, however it ends; so holding it
// also proves that every earlier process on this directory is gone.
type storeLock struct{ file *os.File }

var errLocked = errors.New("locked")

func lockStore(dir string) (*storeLock, error) {
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
	return &storeLock{file}, nil
}

func (l *storeLock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
