package callab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var posts atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			http.Redirect(w, r, "/elsewhere", status)
		}))
		answer := connect(t, server.URL, nil).CreateCall(t.Context(), newCall(), window())
		server.Close()
		if answer.Outcome != callab.Unknown || answer.HTTPStatus != status || posts.Load() != 1 {
			t.Errorf("HTTP %d: %v after %d requests: %v", status, answer.Outcome, posts.Load(), answer.Err)
		}
	}
}

func TestConnectionCutDuringTheWriteIsUnknown(t *testing.T) {
	t.Parallel()
	url, accepted := listen(t, func(conn net.Conn) {
		_, _ = io.ReadFull(conn, make([]byte, 100))
		// Closing with bytes unread resets the connection.
		conn.Close()
	})
	call := newCall()
	call.Notes = strings.Repeat("x", 1<<20)
	answer := connect(t, url, nil).CreateCall(t.Context(), call, window())
	if answer.Outcome != callab.Unknown || accepted.Load() != 1 {
		t.Errorf("%v after %d connections: %v", answer.Outcome, accepted.Load(), answer.Err)
	}
}

func TestConnectionClosedBeforeTheWriteIsUnknown(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	url, accepted := listen(t, func(conn net.Conn) {
		conn.Close()
		closed <- struct{}{}
	})
	client := connect(t, url, func(c *callab.Config) {
		// As if the process had been stopped between fence and write.
		c.Trace = &callab.Trace{BeforeWrite: func() { <-closed }}
	})
	answer := client.CreateCall(t.Context(), newCall(), window())
	// The kernel accepts the bytes before it learns that the server has closed.
	if answer.Outcome != callab.Unknown || accepted.Load() != 1 {
		t.Errorf("%v after %d connections: %v", answer.Outcome, accepted.Load(), answer.Err)
	}
}

// A process may be stopped between fence and write for longer than the server
// keeps a silent connection: the call is then not placed when it continues.
func TestProcessStoppedBeforeTheWritePlacesNoCall(t *testing.T) {
	t.Parallel()
	sim := callabsim.New(callabsim.Options{HeaderTimeout: 50 * time.Millisecond})
	closed := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(nil)
	server.Config = sim.Server("")
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := connect(t, server.URL+"/v1", func(c *callab.Config) {
		c.Trace = &callab.Trace{BeforeWrite: func() { <-closed }}
	})
	answer := client.CreateCall(t.Context(), newCall(), window())
	if answer.Outcome != callab.Unknown || sim.Posts() != 0 {
		t.Errorf("%v with %d requests: %v", answer.Outcome, sim.Posts(), answer.Err)
	}
}

func TestClosedWindowIsNotSent(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"before dialling", "while dialling"} {
		var passed atomic.Int64
		sim, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
			c.Trace = &callab.Trace{
				GotConn:     func() { passed.Store(int64(time.Hour)) },
				BeforeWrite: func() { t.Errorf("%s: the fence is open", moment) },
			}
		})
		w := window()
		if moment == "before dialling" {
			w.Start = w.Start.Add(-w.Length)
		}
		answer := client.CreateCall(t.Context(), newCall(), w)
		if answer.Outcome != callab.NotPlaced || !errors.Is(answer.Err, callab.ErrWindowClosed) || sim.Posts() != 0 {
			t.Errorf("%s: %v with %d requests: %v", moment, answer.Outcome, sim.Posts(), answer.Err)
		}
	}
}

func TestSlowHandshakeIsNotSent(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	defer close(hold)
	url, accepted := listen(t, func(conn net.Conn) {
		<-hold
		conn.Close()
	})
	client := connect(t, strings.Replace(url, "http:", "https:", 1), nil)
	// The write window bounds the handshake as well.
	w := callab.Window{Start: time.Now(), Length: 50 * time.Millisecond}
	answer := client.CreateCall(t.Context(), newCall(), w)
	if answer.Outcome != callab.NotPlaced || !errors.Is(answer.Err, context.DeadlineExceeded) || accepted.Load() != 1 {
		t.Errorf("%v after %d connections: %v", answer.Outcome, accepted.Load(), answer.Err)
	}
}

func TestContextCancelledBeforeTheWriteIsNotSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sim, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
		c.Trace = &callab.Trace{GotConn: cancel}
	})
	answer := client.CreateCall(ctx, newCall(), window())
	if answer.Outcome != callab.NotPlaced || !errors.Is(answer.Err, context.Canceled) || sim.Posts() != 0 {
		t.Errorf("%v with %d requests: %v", answer.Outcome, sim.Posts(), answer.Err)
	}
}

func TestContextCancelledAfterTheWriteIsUnknown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, client := simulate(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.HangAfter}}}, func(c *callab.Config) {
		c.Trace = &callab.Trace{WroteFirstByte: cancel}
	})
	began := time.Now()
	answer := client.CreateCall(ctx, newCall(), window())
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("a cancelled call took %v", took)
	}
	if answer.Outcome != callab.Unknown || !errors.Is(answer.Err, context.Canceled) {
		t.Errorf("%v: %v", answer.Outcome, answer.Err)
	}
}

// proxyTo is a proxy that answers CONNECT with the right password.
func proxyTo(conn net.Conn) {
	defer conn.Close()
	req, _ := wholeRequest(conn)
	if req == nil || req.Method != http.MethodConnect || req.Header.Get("Proxy-Authorization") != "Basic dTpw" {
		fmt.Fprint(conn, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
		return
	}
	target, err := net.Dial("tcp", req.Host)
	if err != nil {
		fmt.Fprint(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(target, conn); target.Close() })
	both.Go(func() { _, _ = io.Copy(conn, target); conn.Close() })
	both.Wait()
}

func TestHTTPProxyIsTunnelledThrough(t *testing.T) {
	t.Parallel()
	address, accepted := listen(t, proxyTo)
	host := strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/v1")
	for _, row := range []struct {
		proxy string
		want  callab.Outcome
		err   string
	}{
		{"http://u:p@" + host, callab.Accepted, ""},
		{"http://u:wrong@" + host, callab.NotPlaced, "connect to callab: proxy: CONNECT answered with HTTP 407"},
		{"http://" + host, callab.NotPlaced, "connect to callab: proxy: CONNECT answered with HTTP 407"},
		{"socks5://" + host, callab.NotPlaced, `connect to callab: proxy scheme "socks5" is not supported, only http`},
	} {
		sim, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
			c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(row.proxy) }
		})
		answer := client.CreateCall(t.Context(), newCall(), window())
		got := ""
		if answer.Err != nil {
			got = answer.Err.Error()
		}
		if answer.Outcome != row.want || got != row.err {
			t.Errorf("%s: %v: %s, want %v: %s", row.proxy, answer.Outcome, got, row.want, row.err)
		}
		if placed := len(sim.Placed()); (placed == 1) != (row.want == callab.Accepted) {
			t.Errorf("%s: placed %d", row.proxy, placed)
		}
	}
	if accepted.Load() != 3 {
		t.Errorf("the proxy had %d connections, want 3", accepted.Load())
	}
}
