package loss

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"callbridge/bus/flush"
)

// Format is the number of the format of the embedded store. A version of callbridge
// opens stores up to its own number. It changes when an earlier version could not work
// on the store, or would harm it.
const Format = 1

// FileName is the name of the file in the directory of the embedded store.
const FileName = "epoch.json"

// content is what a file holds.
type content struct {
	Format int `json:"format"`
	// Version of callbridge that wrote the file last.
	Version string `json:"version,omitempty"`
	// Born is when the directory of the store was made. A copy of it has another time.
	Born time.Time `json:"born,omitzero"`
	Record
}

// readFile reads a file, or returns an empty content if there is none.
func readFile(path string) (content, error) {
	if path == "" {
		return content{Format: Format}, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return content{Format: Format}, nil
	}
	if err != nil {
		return content{}, fmt.Errorf("read what is remembered of the streams: %w", err)
	}
	var c content
	if err := json.Unmarshal(data, &c); err != nil || c.Format < 1 {
		return content{}, fmt.Errorf("%s cannot be read: it remembers what the streams held. If nothing else is wrong with the store, remove the file and start with --restored-from and the present time, so that no call is placed twice", path)
	}
	if c.Format > Format {
		return content{}, fmt.Errorf("%s says that the store has format %d, written by callbridge %s, and this version knows formats up to %d: start that version again, or restore a copy of the store that was made before the upgrade", path, c.Format, c.Version, Format)
	}
	return c, nil
}

// write replaces a file, so that a power cut leaves the former or the new content.
func (c content) write(path string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := flush.Replace(path, data); err != nil {
		return fmt.Errorf("write what is remembered of the streams: %w", err)
	}
	return nil
}

// Check refuses a store whose format is newer than this version, without changing it.
func Check(path string) error {
	_, err := readFile(path)
	return err
}
