package callab

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// firstProbe is when the keep-alive of TCP first looks whether a silent
// connection stands (net.KeepAliveConfig).
const firstProbe = 15 * time.Second

// newDialer makes what opens the connections for calls. One that ends before the
// first probe is spared the system calls that would set it up.
func newDialer(timeout time.Duration) *net.Dialer {
	d := &net.Dialer{Control: userTimeout(timeout)}
	if timeout <= firstProbe {
		d.KeepAlive = -1
	}
	return d
}

// connect opens the TCP connection for one call, through the proxy if there
// is one.
func (c *Client) connect(ctx context.Context, req *http.Request) (net.Conn, error) {
	if req.URL.Scheme == "http" {
		return c.dialer.DialContext(ctx, "tcp", hostPort(req.URL))
	}
	proxy, err := c.config.Proxy(req)
	if err != nil {
		return nil, errors.New("proxy address cannot be read")
	}
	if proxy == nil {
		return c.dialer.DialContext(ctx, "tcp", hostPort(req.URL))
	}
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("proxy scheme %q is not supported, only http", proxy.Scheme)
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if err := tunnel(ctx, conn, proxy.User, hostPort(req.URL)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return conn, nil
}

// tunnel asks the proxy on conn for a connection to target (RFC 9110, 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, user *url.Userinfo, target string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(conn); err != nil {
		return err
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
		return context.Cause(ctx)
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
