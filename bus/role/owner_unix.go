//go:build unix

package role

import (
	"os"
	"syscall"
)

// foreign reports whether a file belongs to another user than this process.
func foreign(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) != os.Geteuid()
}
