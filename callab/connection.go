package callab

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"callbridge/untrusted"
)

// ErrWindowClosed is the error of a call that was not sent because its write
// window closed before the first byte could leave.
var ErrWindowClosed = errors.New("write window is over")

// clockSkew is how far the wall clock may lag the monotonic clock, as it does
// while it is being slewed. With a larger difference neither is trusted.
const clockSkew = time.Second

// Window is the time span in which the first byte of a call may leave. Start is
// read just before the caller claims the call; no other process may take the
// call over until the window and the timeouts after it have passed. The zero
// Window is closed.
type Window struct {
	Start  time.Time
	Length time.Duration
}

// Open reports whether the first byte may leave now. Both clocks must be inside
// the window: the monotonic clock stops while a machine is suspended, and only
// the wall clock is changed by a clock adjustment. If Start has no monotonic
// reading, only the wall clock is compared.
func (w Window) Open(now time.Time) bool {
	return w.allows(now.Round(0).Sub(w.Start.Round(0)), now.Sub(w.Start))
}

// allows decides by the time since Start on each of the two clocks.
func (w Window) allows(wall, monotonic time.Duration) bool {
	if wall < -clockSkew || monotonic-wall > clockSkew {
		return false
	}
	return max(wall, monotonic) < w.Length
}

// fence is the connection below TLS. Once armed, it checks the window directly
// before the first write to the kernel, and counts the bytes that the kernel
// took: if none, the call was certainly not sent.
type fence struct {
	net.Conn
	window Window
	client *Client
	// ctx is nil until the handshake is done; only then is the fence armed.
	ctx  context.Context
	sent int
}

// arm is called after the handshake: the next byte belongs to the call.
func (f *fence) arm(ctx context.Context) { f.ctx = ctx }

// Write passes the first bytes of a call on only within its window.
func (f *fence) Write(b []byte) (int, error) {
	if f.ctx == nil {
		return f.Conn.Write(b)
	}
	first := f.sent == 0
	if first {
		if err := f.ctx.Err(); err != nil {
			return 0, err
		}
		if !f.window.Open(f.client.config.Now()) {
			return 0, ErrWindowClosed
		}
		notify(f.client.config.Trace.BeforeWrite)
	}
	n, err := f.Conn.Write(b)
	f.sent += n
	if first && n > 0 {
		notify(f.client.config.Trace.WroteFirstByte)
	}
	return n, err
}

// connect opens a connection for one call and finishes the TLS handshake, so
// that only the write itself remains. It returns the connection to write to,
// and the fence below it.
func (c *Client) connect(ctx context.Context, req *http.Request, window Window) (net.Conn, *fence, error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.config.DialTimeout, window.Length))
	defer cancel()
	raw, err := c.dial(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	f := &fence{Conn: raw, window: window, client: c}
	if req.URL.Scheme == "http" {
		return f, f, nil
	}
	conn := tls.Client(f, c.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, nil, untrusted.NetworkError(err)
	}
	return conn, f, nil
}

// newDialer returns the dialer for create calls.
func newDialer(timeout time.Duration) *net.Dialer { return &net.Dialer{Control: userTimeout(timeout)} }

// dial opens the TCP connection for one call, through the proxy if one is
// configured.
func (c *Client) dial(ctx context.Context, req *http.Request) (net.Conn, error) {
	if req.URL.Scheme == "http" {
		return c.open(ctx, req.URL)
	}
	proxy, err := c.config.Proxy(req)
	if err != nil {
		return nil, errors.New("proxy address cannot be parsed")
	}
	if proxy == nil {
		return c.open(ctx, req.URL)
	}
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("proxy scheme %q is not supported, only http", proxy.Scheme)
	}
	conn, err := c.open(ctx, proxy)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if err := tunnel(ctx, conn, proxy.User, hostPort(req.URL)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return conn, nil
}

// open opens a TCP connection.
func (c *Client) open(ctx context.Context, to *url.URL) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, "tcp", hostPort(to))
	if err != nil {
		return nil, untrusted.NetworkError(err)
	}
	return conn, nil
}

// tunnel asks the proxy on conn for a connection to target (RFC 9110, 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, user *url.Userinfo, target string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(conn); err != nil {
		return cause(ctx, err)
	}
	buffered := bufio.NewReader(conn)
	resp, err := http.ReadResponse(buffered, req)
	switch {
	case err != nil:
		return cause(ctx, err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("CONNECT answered with HTTP %d", resp.StatusCode)
	case buffered.Buffered() > 0:
		return errors.New("CONNECT answered with more than a header")
	case !stop():
		return cause(ctx, context.Cause(ctx))
	}
	return nil
}

func hostPort(u *url.URL) string {
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}
