package untrusted_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"callbridge/untrusted"
)

// allowed are all texts of a NetworkError.
var allowed = []string{
	"cancelled", "timeout", "connection refused", "connection reset", "connection closed", "connection failed",
	"network unreachable", "host unreachable", "too many open files", "no such host", "the name server gave no answer",
	"the server does not speak TLS", "the server refuses the TLS handshake", "answer cut short", "answer broken",
	"connection closed before the answer", "the address cannot be parsed", "certificate not trusted",
	"certificate not trusted: unknown authority", "certificate not trusted: it is for another host",
	"certificate not trusted: it has expired or is not yet valid",
}

func TestNetworkErrorSaysWhatFailed(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for want, err := range map[string]error{
		"connection refused":             fmt.Errorf("send: %w", dial(syscall.ECONNREFUSED)),
		"host unreachable":               dial(syscall.EHOSTUNREACH),
		"connection failed":              dial(syscall.EACCES),
		"connection reset":               &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"timeout":                        fmt.Errorf("x: %w", context.DeadlineExceeded),
		"cancelled":                      context.Canceled,
		"no such host":                   &net.DNSError{Err: "no such host", Name: "secret.example.com", IsNotFound: true},
		"the name server gave no answer": &net.DNSError{Err: "server misbehaving", Name: "secret.example.com"},
		"answer cut short":               io.ErrUnexpectedEOF,
		"certificate not trusted: unknown authority":      &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"certificate not trusted: it is for another host": x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"secret"}}, Host: "x"},
		"the server refuses the TLS handshake":            &net.OpError{Op: "remote error", Err: tls.AlertError(40)},
		"answer broken":                                   errors.New(`malformed HTTP response "secret"`),
	} {
		got := untrusted.NetworkError(err)
		if got.Error() != want || !errors.Is(got, err) || !slices.Contains(allowed, want) {
			t.Errorf("NetworkError(%v) = %v, want %s", err, got, want)
		}
		if again := untrusted.NetworkError(fmt.Errorf("outer: %w", got)); again.Error() != want {
			t.Errorf("NetworkError of it is %v", again)
		}
		if inner := errors.Unwrap(got); inner != nil {
			t.Errorf("%v gives its cause away: %v", got, inner)
		}
	}
	if untrusted.NetworkError(nil) != nil {
		t.Error("no error has become one")
	}
}

// A real client meets servers that break their answers with what they were sent.
func TestNetworkErrorHasNothingOfThePeer(t *testing.T) {
	t.Parallel()
	const key = "Bearer key-0123456789abcdef"
	for _, answer := range []string{
		"KEY\r\n\r\n", "HTTP/1.1 KEY\r\n\r\n", "HTTP/KEY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nKEY\r\n\r\n", "HTTP/1.1 200 OK\r\n KEY: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: KEY\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: KEY\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nKEY",
		"HTTP/1.1 302 Found\r\nLocation: http://[KEY\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: KEY://x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: KEY\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 40\r\n\r\nKEYKEY", "",
	} {
		server := broken(t, strings.ReplaceAll(answer, "KEY", key))
		request, _ := http.NewRequest(http.MethodGet, "http://"+server+"/key?access_token=key-0123456789abcdef", nil)
		request.Header.Set("Authorization", key)
		response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		if err == nil {
			t.Errorf("%q is no error", answer)
			continue
		}
		if got := untrusted.NetworkError(err).Error(); !slices.Contains(allowed, got) {
			t.Errorf("%q: %s", answer, got)
		}
	}
}

// broken starts a server that answers each request with the text and hangs up.
func broken(t *testing.T, answer string) (address string) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return socket.Addr().String()
}

func TestNetworkErrorOfACertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{})
	if got := untrusted.NetworkError(err).Error(); got != "certificate not trusted: unknown authority" {
		t.Errorf("%v becomes %s", err, got)
	}
	_, err = http.Get(strings.Replace(broken(t, ""), "127", "https://127", 1))
	if got := untrusted.NetworkError(err).Error(); !slices.Contains(allowed, got) || got == "answer broken" {
		t.Errorf("%v becomes %s", err, got)
	}
}
