package callab

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout makes the kernel give up on bytes that are not acknowledged in
// that time. Without it those of a dead process are sent again for up to 15
// minutes (tcp(7), TCP_USER_TIMEOUT), long after its claim was declared dead.
func userTimeout(limit time.Duration) func(network, address string, conn syscall.RawConn) error {
	return func(_, _ string, conn syscall.RawConn) error {
		var set error
		err := conn.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		})
		return errors.Join(err, set)
	}
}
