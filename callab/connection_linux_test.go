package callab

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUnacknowledgedBytesExpireAfterTheTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := newDialer(15*time.Second).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := option(t, conn, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 15_000 {
		t.Errorf("TCP_USER_TIMEOUT is %d ms, want 15000", got)
	}
}

func option(t *testing.T, conn net.Conn, level, name int) (value int) {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var getErr error
	err = raw.Control(func(fd uintptr) { value, getErr = unix.GetsockoptInt(int(fd), level, name) })
	if err != nil || getErr != nil {
		t.Fatal(err, getErr)
	}
	return value
}
