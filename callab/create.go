package callab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"callbridge/untrusted"
)

// Trace holds functions that are called, in this order, as a create call makes
// progress. Any of them may be nil. Their run time counts against the write
// window and the timeout. Crash tests kill or freeze the process in them.
type Trace struct {
	// GotConn: the connection is open, TLS included; nothing is sent.
	GotConn func()
	// BeforeWrite: the write window is open; the write is next.
	BeforeWrite func()
	// WroteFirstByte: at least one byte of the request has been passed to
	// the kernel.
	WroteFirstByte func()
	// GotAnswer: the answer has been read and not yet returned.
	GotAnswer func()
}

func notify(f func()) {
	if f != nil {
		f()
	}
}

// CreateCall places a call with POST /calls. The request is sent at most once,
// and only if its first byte can leave within the window. If ctx ends before
// that, the call is not sent; if it ends later, the outcome is unknown.
func (c *Client) CreateCall(ctx context.Context, call NewCall, window Window) Answer {
	return c.encode(ctx, call, window, "calls")
}

// CreateCallJSON is CreateCall with a body that is already encoded: the JSON
// form of a NewCall. It is sent unchanged.
func (c *Client) CreateCallJSON(ctx context.Context, call []byte, window Window) Answer {
	return c.post(ctx, call, window, "calls")
}

// MakeCall places a call with POST /calls/make-call, under the same rules as
// CreateCall. Callab's documentation calls it a test call.
func (c *Client) MakeCall(ctx context.Context, call TestCall, window Window) Answer {
	return c.encode(ctx, call, window, "calls", "make-call")
}

func (c *Client) encode(ctx context.Context, call any, window Window, path ...string) Answer {
	body, err := json.Marshal(call)
	if err != nil {
		return notPlaced(fmt.Errorf("encode call: %w", err))
	}
	return c.post(ctx, body, window, path...)
}

// post sends the body once. It does not use http.Transport, which repeats some
// requests by itself and does not report whether a byte has left.
func (c *Client) post(ctx context.Context, body []byte, window Window, path ...string) Answer {
	if !window.Open(c.config.Now()) {
		return notPlaced(ErrWindowClosed)
	}
	req, err := c.newRequest(ctx, http.MethodPost, bytes.NewReader(body), path...)
	if err != nil {
		return notPlaced(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	var wire bytes.Buffer
	wire.Grow(len(body) + 1<<10) // the body and its headers
	if err := req.Write(&wire); err != nil {
		return notPlaced(fmt.Errorf("encode request: %w", err))
	}
	conn, fence, err := c.connect(ctx, req, window)
	if err != nil {
		return notPlaced(fmt.Errorf("connect to callab: %w", err))
	}
	defer fence.Close()
	notify(c.config.Trace.GotConn)
	return c.exchange(ctx, conn, fence, req, wire.Bytes())
}

// exchange writes the request and reads the response. After the first byte,
// every error leaves the outcome unknown.
func (c *Client) exchange(ctx context.Context, conn net.Conn, fence *fence, req *http.Request, wire []byte) Answer {
	_ = conn.SetDeadline(time.Now().Add(c.config.Timeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	defer stop()

	fence.arm(ctx)
	if _, err := conn.Write(wire); err != nil {
		err = fmt.Errorf("send call: %w", cause(ctx, err))
		if fence.sent == 0 {
			return notPlaced(err)
		}
		return unknown(err)
	}
	r, err := readResponse(conn, req)
	if err != nil {
		return unknown(fmt.Errorf("read answer: %w", cause(ctx, err)))
	}
	notify(c.config.Trace.GotAnswer)
	return r.withoutToken(req).classify(c.config.Now())
}

// past is a deadline that interrupts reads and writes in progress.
var past = time.Unix(1, 0)

// cause returns why ctx ended, if it did: the error is then only that of the
// deadline which interrupted the connection.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, ErrWindowClosed) || errors.Is(err, errNotHTTP) {
		return err
	}
	return untrusted.NetworkError(err)
}

// maxInterim bounds the 1xx responses (RFC 9110, 15.2) before the final one.
const maxInterim = 8

func readResponse(conn io.Reader, req *http.Request) (response, error) {
	// Twice the body leaves room for headers and chunk sizes.
	// An ordinary answer fits into 1 KB; the usual 4 KB would be a tenth of all
	// memory that a call allocates.
	buffered := bufio.NewReaderSize(io.LimitReader(conn, 2*maxBodyBytes), 1<<10)
	for range maxInterim {
		resp, err := http.ReadResponse(buffered, req)
		if err != nil {
			return response{}, err
		}
		if resp.StatusCode >= 100 && resp.StatusCode <= 199 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		return readBody(resp, maxBodyBytes)
	}
	return response{}, errNotHTTP
}
