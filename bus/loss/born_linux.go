package loss

import (
	"time"

	"golang.org/x/sys/unix"
)

// born is when a directory was made, or zero if the file system does not say.
func born(dir string) time.Time {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_BTIME, &s); err != nil || s.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)).UTC()
}
