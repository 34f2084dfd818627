package callab_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestConnectionCutInTheMiddleOfTheRequest(t *testing.T) {
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

func TestConnectionClosedBeforeTheWrite(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	url, accepted := listen(t, func(conn net.Conn) {
		conn.Close()
		closed <- struct{}{}
	})
	client := connect(t, url, func(c *callab.Config) {
		// As if the process had been frozen between fence and write.
		c.Trace = &callab.Trace{BeforeWrite: func() { <-closed }}
	})
	answer := client.CreateCall(t.Context(), newCall(), window())
	// The kernel takes the bytes before it learns that nobody reads them.
	if answer.Outcome != callab.Unknown || accepted.Load() != 1 {
		t.Errorf("%v after %d connections: %v", answer.Outcome, accepted.Load(), answer.Err)
	}
}

// A process that is frozen between fence and write for longer than the server
// keeps a silent connection does no harm when it goes on.
func TestFrozenBeforeTheWriteIsNotPlaced(t *testing.T) {
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

func TestWindowOverIsNotSent(t *testing.T) {
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
		if answer.Outcome != callab.NotSent || !errors.Is(answer.Err, callab.ErrWindowClosed) || sim.Posts() != 0 {
			t.Errorf("%s: %v with %d requests: %v", moment, answer.Outcome, sim.Posts(), answer.Err)
		}
	}
}

func TestSlowTLSIsNotSent(t *testing.T) {
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
	if answer.Outcome != callab.NotSent || !errors.Is(answer.Err, context.DeadlineExceeded) || accepted.Load() != 1 {
		t.Errorf("%v after %d connections: %v", answer.Outcome, accepted.Load(), answer.Err)
	}
}

func TestCancelBeforeTheWriteIsNotSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sim, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
		c.Trace = &callab.Trace{GotConn: cancel}
	})
	answer := client.CreateCall(ctx, newCall(), window())
	if answer.Outcome != callab.NotSent || !errors.Is(answer.Err, context.Canceled) || sim.Posts() != 0 {
		t.Errorf("%v with %d requests: %v", answer.Outcome, sim.Posts(), answer.Err)
	}
}

func TestCancelAfterTheWriteIsUnknown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, client := simulate(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.HangAfter}}}, func(c *callab.Config) {

		c.Trace = &callab.Trace{WroteFirstByte: cancel}
	})
	began := time.Now()
	answer := client.CreateCall(ctx, newCall(), window())
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("a cancelled call went on for %v", took)
	}
	if answer.Outcome != callab.Unknown || !errors.Is(answer.Err, context.Canceled) {
		t.Errorf("%v: %v", answer.Outcome, answer.Err)
	}
}

// wholeRequest reads one request off conn.
func wholeRequest(conn net.Conn) (*http.Request, string) {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return nil, ""
	}
	body, _ := io.ReadAll(req.Body)
	return req, string(body)
}

func TestAnswersOnTheWire(t *testing.T) {
	t.Parallel()
	const good = `{"status":"ok","message":"ok","data":{"id":"7d1b"}}`
	for _, row := range []struct {
		name, answer string
		want         callab.Outcome
	}{
		{"no length", "HTTP/1.1 200 OK\r\n\r\n" + good, callab.Accepted},
		{"interim answers first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + good, callab.Accepted},
		{"only interim answers", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), callab.Unknown},
		{"other protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + good, callab.Unknown},
		{"nothing", "", callab.Unknown},
		{"not HTTP", "220 mail.example.com ESMTP\r\n\r\n", callab.Unknown},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + good, callab.Unknown},
		{"half a refusal", "HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n" + good, callab.Unknown},
		{"endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 3<<20), callab.Unknown},
		{"long body", "HTTP/1.1 200 OK\r\n\r\n" + good + strings.Repeat(" ", 1<<20), callab.Unknown},
		{"long refusal", "HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat(" ", 1<<20) + good, callab.Refused},
	} {
		url, accepted := listen(t, func(conn net.Conn) {
			defer conn.Close()
			wholeRequest(conn)
			_, _ = io.WriteString(conn, row.answer)
		})
		answer := connect(t, url, nil).CreateCall(t.Context(), newCall(), window())
		if answer.Outcome != row.want || accepted.Load() != 1 {
			t.Errorf("%s: %v, want %v, after %d connections: %v", row.name, answer.Outcome, row.want, accepted.Load(), answer.Err)
		}
	}
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	lines := make(chan string, 1)
	url, _ := listen(t, func(conn net.Conn) {
		defer conn.Close()
		req, body := wholeRequest(conn)
		req.Header.Del("Content-Length")
		lines <- fmt.Sprintf("%s %s %v close=%v %v\n%s", req.Method, req.URL, req.Proto, req.Close, req.Header, body)
	})
	ctx := callab.WithTraceParent(t.Context(), parent)
	connect(t, url, nil).CreateCall(ctx, callab.NewCall{CallTo: callTo}, window())
	want := `POST /v1/calls HTTP/1.1 close=true map[Accept:[application/json] Authorization:[Bearer ` + token +
		`] Connection:[close] Content-Type:[application/json] Traceparent:[` + parent + `] User-Agent:[callab-go/1]]` +
		"\n" + `{"call_to":"+12025550142"}`
	if got := <-lines; got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

func TestTraceParentOfAnotherFormIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", strings.Repeat("a", 500), strings.Repeat("a", 50) + "\r\nX-Evil: 1"} {
		if ctx := callab.WithTraceParent(t.Context(), bad); ctx != t.Context() {
			t.Errorf("traceparent %q is sent", bad)
		}
	}
}

func TestConcurrentCallsAreEachPlacedOnce(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	const calls = 50
	answers := make(chan callab.Answer, calls)
	for range calls {
		go func() { answers <- client.CreateCall(t.Context(), newCall(), window()) }()
	}
	seen := map[string]bool{}
	for range calls {
		answer := <-answers
		if answer.Outcome != callab.Accepted {
			t.Errorf("%v: %v", answer.Outcome, answer.Err)
		}
		seen[answer.Call.ID] = true
	}
	if len(seen) != calls || len(sim.Placed()) != calls {
		t.Errorf("%d ids, %d placed, want %d", len(seen), len(sim.Placed()), calls)
	}
}
