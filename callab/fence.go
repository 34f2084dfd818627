package callab

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// fence is the connection beneath TLS. It holds the first byte of a call back
// until the clock has been looked at, as late as possible, and counts what has
// been handed to the kernel: with nothing sent, there is no call.
type fence struct {
	net.Conn
	window Window
	client *Client
	// ctx is nil until the handshake is done; only then does the fence count.
	ctx  context.Context
	sent int
}

// arm ends the handshake: the next byte is the call's.
func (f *fence) arm(ctx context.Context) { f.ctx = ctx }

// Write lets the first bytes of a call through only inside its window.
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
		f.client.config.Trace.beforeWrite()
	}
	n, err := f.Conn.Write(b)
	f.sent += n
	if first && n > 0 {
		f.client.config.Trace.wroteFirstByte()
	}
	return n, err
}

// dial opens a connection for one call and finishes TLS, so that nothing but
// the write itself is left to do. It returns what to write to, and the fence
// beneath it.
func (c *Client) dial(ctx context.Context, req *http.Request, window Window) (net.Conn, *fence, error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.config.DialTimeout, window.Length))
	defer cancel()
	raw, err := c.connect(ctx, req)
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
		return nil, nil, err
	}
	return conn, f, nil
}
