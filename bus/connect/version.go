package connect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
)

// minServer is the oldest nats-server version that callbridge supports. Older ones
// have published vulnerabilities.
const minServer = "2.12.6"

// CheckVersion returns an error if the connected server is too old.
func CheckVersion(conn *nats.Conn) error {
	if version := conn.ConnectedServerVersion(); !atLeast(version, minServer) {
		return fmt.Errorf("nats-server %s is too old: callbridge needs %s or newer", version, minServer)
	}
	return nil
}

// atLeast compares versions such as 2.15.2 by number. A preview of a version, such as
// 2.12.6-RC.1, is older than the version.
func atLeast(version, least string) bool {
	have, err := parseVersion(version)
	if err != nil {
		return false
	}
	need, err := parseVersion(least)
	return err == nil && slices.Compare(have, need) >= 0
}

func parseVersion(text string) ([]int, error) {
	text, preview, isPreview := strings.Cut(strings.TrimPrefix(text, "v"), "-")
	var major, minor, patch int
	if _, err := fmt.Sscanf(text, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return nil, fmt.Errorf("version %s-%s: %w", text, preview, err)
	}
	if isPreview {
		return []int{major, minor, patch - 1, 1}, nil
	}
	return []int{major, minor, patch}, nil
}
