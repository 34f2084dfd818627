package callab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// CreateCall places a call with POST /calls. The request is sent at most once,
// and only if its first byte can leave within the window. A ctx that ends
// before that means not sent; one that ends later leaves the call unknown.
func (c *Client) CreateCall(ctx context.Context, call NewCall, window Window) Answer {
	return c.encode(ctx, c.create, call, window)
}

// CreateCallJSON is CreateCall with a body that is JSON already: what
// json.Marshal makes of a NewCall. It is sent as it is.
func (c *Client) CreateCallJSON(ctx context.Context, call []byte, window Window) Answer {
	return c.post(ctx, c.create, call, window)
}

// MakeCall places a call with POST /calls/make-call, under the same terms as
// CreateCall. Callab calls it a test call.
func (c *Client) MakeCall(ctx context.Context, call TestCall, window Window) Answer {
	return c.encode(ctx, c.test, call, window)
}

func (c *Client) encode(ctx context.Context, to *http.Request, call any, window Window) Answer {
	body, err := json.Marshal(call)
	if err != nil {
		return notSent(fmt.Errorf("encode call: %w", err))
	}
	return c.post(ctx, to, body, window)
}

// wires are the bytes of earlier requests, to be written over: no connection
// keeps what it was given.
var wires = sync.Pool{New: func() any { return &bytes.Buffer{} }}

// post sends the body once. It does not use http.Transport, which sends some
// requests again by itself, and does not tell whether a byte has left.
func (c *Client) post(ctx context.Context, to *http.Request, body []byte, window Window) Answer {
	if !window.Open(c.config.Now()) {
		return notSent(ErrWindowClosed)
	}
	req := to.WithContext(ctx)
	if err := c.setHeader(req); err != nil {
		return notSent(err)
	}
	req.Header["Content-Type"] = []string{"application/json"}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	req.Close = true
	wire := wires.Get().(*bytes.Buffer)
	defer wires.Put(wire)
	wire.Reset()
	if err := req.Write(wire); err != nil {
		return notSent(fmt.Errorf("encode request: %w", err))
	}
	conn, fence, err := c.dial(ctx, req, window)
	if err != nil {
		return notSent(fmt.Errorf("connect to callab: %w", err))
	}
	defer fence.Close()
	c.config.Trace.gotConn()
	return c.exchange(ctx, conn, fence, req, wire.Bytes())
}

// exchange writes the request and reads its reply. From the first byte on,
// whatever goes wrong leaves the call unknown.
func (c *Client) exchange(ctx context.Context, conn net.Conn, fence *fence, req *http.Request, wire []byte) Answer {
	_ = conn.SetDeadline(time.Now().Add(c.config.Timeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })
	defer stop()

	fence.arm(ctx)
	if _, err := conn.Write(wire); err != nil {
		err = fmt.Errorf("send call: %w", cause(ctx, err))
		if fence.sent == 0 {
			return notSent(err)
		}
		return unknown(err)
	}
	r, err := readReply(conn, req)
	if err != nil {
		return unknown(fmt.Errorf("read answer: %w", cause(ctx, err)))
	}
	c.config.Trace.gotAnswer()
	return r.scrub(req).judge(c.config.Now())
}

// longAgo is a deadline that ends what is going on.
var longAgo = time.Unix(1, 0)

// cause tells a cancelled context from the deadline that it set.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return wireError(err)
}

// maxInterim bounds the 1xx answers (RFC 9110, 15.2) before the real one.
const maxInterim = 8

func readReply(conn io.Reader, req *http.Request) (reply, error) {
	buffered := readers.Get().(*bufio.Reader)
	defer readers.Put(buffered)
	// Twice the body leaves room for headers and chunk sizes.
	buffered.Reset(io.LimitReader(conn, 2*maxBodyBytes))
	defer buffered.Reset(nil)
	for range maxInterim {
		resp, err := http.ReadResponse(buffered, req)
		if err != nil {
			return reply{}, err
		}
		if resp.StatusCode >= 100 && resp.StatusCode <= 199 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		return newReply(resp)
	}
	return reply{}, errNotHTTP
}

// readers are buffers for answers. One holds nothing of an answer that was read:
// its parts are copied out.
var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

// usualBody is the room that is made at once for a body of any length.
const usualBody = 16 << 10

func newReply(resp *http.Response) (reply, error) {
	defer resp.Body.Close()
	var body bytes.Buffer
	body.Grow(int(min(max(resp.ContentLength, 0), usualBody)) + bytes.MinRead)
	_, err := body.ReadFrom(io.LimitReader(resp.Body, maxBodyBytes+1))
	return reply{status: resp.StatusCode, header: resp.Header, body: body.Bytes()}, err
}
