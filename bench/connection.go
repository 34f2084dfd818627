package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// connection is kept from request to request, and made anew when it failed.
type connection struct {
	dial   func() (net.Conn, error)
	conn   net.Conn
	reader *bufio.Reader
}

// answerTimeout is how long a CRM waits (HubSpot: 5 s).
const answerTimeout = 5 * time.Second

// post sends a request as it stands and reads its answer.
func (c *connection) post(wire []byte) (status int, err error) {
	if c.conn == nil {
		conn, err := c.dial()
		if err != nil {
			return 0, err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(answerTimeout))
	status, again, err := c.exchange(wire)
	if err != nil || !again {
		c.close()
	}
	return status, err
}

func (c *connection) exchange(wire []byte) (status int, again bool, err error) {
	if _, err := c.conn.Write(wire); err != nil {
		return 0, false, err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, false, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, !resp.Close, errors.Join(err, resp.Body.Close())
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
