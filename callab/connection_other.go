//go:build !linux

package callab

import (
	"syscall"
	"time"
)

// userTimeout does nothing: on this system the time of TCP retransmissions is
// not limited.
func userTimeout(time.Duration) func(network, address string, conn syscall.RawConn) error {
	return nil
}
