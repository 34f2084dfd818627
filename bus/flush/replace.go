package flush

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace gives a file new content. A power cut leaves the former content or the new
// one. The file has the mode 0600.
func Replace(path string, content []byte) error {
	// CreateTemp makes files of mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return Dir(filepath.Dir(path))
}
