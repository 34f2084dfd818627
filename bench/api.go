package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// api is a Callab that answers at once and counts how often each webhook led to
// a call. It speaks just enough HTTP to do that: a server that is slower than
// what it measures would be what is measured. Whether calls are lost or doubled
// in a crash is counted at the real simulator (see crash.go).
type api struct {
	socket net.Listener
	// calls and first are by the number of the webhook: how often it was
	// called, and when first, in nanoseconds since began.
	calls []atomic.Int32
	first []atomic.Int64
	began time.Time

	received, connections atomic.Int64
}

// maxWebhooks is how many webhooks one run of an api can tell apart.
const maxWebhooks = 4 << 20

func startAPI() (*api, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the API: %w", err)
	}
	a := &api{
		socket: socket, began: time.Now(),
		calls: make([]atomic.Int32, maxWebhooks), first: make([]atomic.Int64, maxWebhooks),
	}
	go a.serve()
	return a, nil
}

func (a *api) url() string { return "http://" + a.socket.Addr().String() + "/v1" }

func (a *api) close() { _ = a.socket.Close() }

func (a *api) serve() {
	for {
		conn, err := a.socket.Accept()
		if err != nil {
			return
		}
		a.connections.Add(1)
		go a.talk(conn)
	}
}

const (
	callAnswer = `{"status":"success","message":"Call created","data":{"id":"0b7d9a3e-2f4c-4a61-9d38-5e1c7f2a6b90","call_status":"in-progress","call_direction":"outbound","created_at":"2026-01-02T03:04:05Z"}}`
	listAnswer = `{"status":"success","message":"","data":{"data":[],"total":0,"page":1,"per_page":100}}`
)

// talk answers the requests of one connection.
func (a *api) talk(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 4<<10)
	for body := []byte(nil); ; {
		method, length, last, err := readHead(reader)
		if err != nil {
			return
		}
		now := time.Since(a.began)
		if cap(body) < length {
			body = make([]byte, length)
		}
		body = body[:length]
		if _, err := io.ReadFull(reader, body); err != nil {
			return
		}
		answer := listAnswer
		if method == http.MethodPost {
			answer = callAnswer
			a.count(body, now)
		}
		if _, err := io.WriteString(conn, head(answer, last)+answer); err != nil || last {
			return
		}
	}
}

func head(answer string, last bool) string {
	h := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(answer)) + "\r\n"
	if last {
		h += "Connection: close\r\n"
	}
	return h + "\r\n"
}

// readHead reads a request up to its body. last: the connection ends with it.
func readHead(r *bufio.Reader) (method string, length int, last bool, err error) {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return method, length, last, nil
		}
		if first {
			method, _, _ = strings.Cut(string(line), " ")
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", 0, false, err
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
}

// count notes a call. It begins with the first byte of its request, which is
// when its head can be read: they come in one packet.
func (a *api) count(body []byte, now time.Duration) {
	n, ok := numberIn(body)
	if !ok {
		return
	}
	if a.calls[n].Add(1) == 1 {
		a.first[n].Store(int64(now))
	}
	a.received.Add(1)
}
