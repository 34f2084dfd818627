package callab

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout makes the kernel drop a connection whose bytes are not
// acknowledged within limit (tcp(7), TCP_USER_TIMEOUT). By default it
// retransmits them for up to 15 minutes, even if the process is dead: the call
// could then arrive long after its claim has expired.
func userTimeout(limit time.Duration) func(network, address string, conn syscall.RawConn) error {
	return func(_, _ string, conn syscall.RawConn) error {
		var set error
		err := conn.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		})
		return errors.Join(err, set)
	}
}
