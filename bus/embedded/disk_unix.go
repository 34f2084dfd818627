//go:build unix

package embedded

import "golang.org/x/sys/unix"

// freeDisk is the number of bytes that this user may still write below dir.
func freeDisk(dir string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, err
	}
	return int64(uint64(disk.Bavail) * uint64(disk.Bsize)), nil
}
