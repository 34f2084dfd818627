//go:build !linux

package loss

import "time"

// born is not known here: a copy of the whole directory has to be told by
// --restored-from.
func born(string) time.Time { return time.Time{} }
