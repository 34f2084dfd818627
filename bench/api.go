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
	"sync"
	"time"

	"callbridge/callab/callabsim"
)

// api is a Callab that counts the calls of each webhook.
type api struct {
	url    string
	socket net.Listener
	began  time.Time

	mu sync.Mutex
	// placed has the number of the webhook as its key.
	placed map[int]placed
}

// placed are the calls for one webhook.
type placed struct {
	times int
	// first is when the first one arrived, since the start of the API.
	first time.Duration
}

func listen() (*api, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the API: %w", err)
	}
	return &api{url: "http://" + socket.Addr().String() + "/v1", socket: socket, began: time.Now(), placed: map[int]placed{}}, nil
}

// startAPI starts an API that answers at once. It parses as little HTTP as
// possible, since a slow server would limit the measured rates.
func startAPI() (*api, error) {
	a, err := listen()
	if err != nil {
		return nil, err
	}
	go a.serve(a.socket)
	return a, nil
}

// startSimulator starts an API with latency and a list of calls, which is needed
// to find calls of unknown outcome after a crash.
func startSimulator(latency time.Duration) (*api, error) {
	a, err := listen()
	if err != nil {
		return nil, err
	}
	sim := callabsim.New(callabsim.Options{Latency: latency, HeaderTimeout: time.Minute})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			arrived := time.Now()
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return // incomplete: no call is placed
			}
			a.count(body, arrived)
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		sim.ServeHTTP(w, req)
	})}
	go func() { _ = server.Serve(a.socket) }()
	return a, nil
}

func (a *api) close() { _ = a.socket.Close() }

// count records the call of a request body.
func (a *api) count(body []byte, arrived time.Time) {
	n, ok := numberIn(body)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.placed[n]
	if p.times++; p.times == 1 {
		p.first = arrived.Sub(a.began)
	}
	a.placed[n] = p
}

func (a *api) calls(number int) placed {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.placed[number]
}

func (a *api) serve(socket net.Listener) {
	for {
		conn, err := socket.Accept()
		if err != nil {
			return
		}
		go a.serveConn(conn)
	}
}

const (
	callAnswer = `{"status":"success","message":"Call created","data":{"id":"0b7d9a3e-2f4c-4a61-9d38-5e1c7f2a6b90","call_status":"in-progress","call_direction":"outbound","created_at":"2026-01-02T03:04:05Z"}}`
	listAnswer = `{"status":"success","message":"","data":{"data":[],"total":0,"page":1,"per_page":100}}`
)

// serveConn answers the requests of one connection. The arrival of a call is the
// time at which its header has been read: it comes in one packet with the first byte.
func (a *api) serveConn(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 4<<10)
	for body := []byte(nil); ; {
		method, length, last, err := readHead(reader)
		if err != nil {
			return
		}
		arrived := time.Now()
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
			a.count(body, arrived)
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

// readHead reads a request up to its body; last reports "Connection: close".
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
