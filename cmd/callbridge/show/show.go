// Package show prints what a configuration decides and what holds in it. It belongs to
// cmd/callbridge, and asks neither NATS nor the network.
//
//   - map.go: how a webhook is mapped, for map
//   - policy.go: the command policy show
package show

import (
	"fmt"
	"time"
)

// Instant reads a time of --at; "" is now.
func Instant(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--at %q is no time: write it as 2026-11-30T08:00:00-05:00", text)
	}
	return at, nil
}
