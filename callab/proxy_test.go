package callab_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

// proxyTo answers CONNECT: it lets those through who know the password.
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

func TestProxy(t *testing.T) {
	t.Parallel()
	address, accepted := listen(t, proxyTo)
	host := strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/v1")
	for _, row := range []struct {
		proxy string
		want  callab.Outcome
		err   string
	}{
		{"http://u:p@" + host, callab.Accepted, ""},
		{"http://u:wrong@" + host, callab.NotSent, "connect to callab: proxy: CONNECT answered with HTTP 407"},
		{"http://" + host, callab.NotSent, "connect to callab: proxy: CONNECT answered with HTTP 407"},
		{"socks5://" + host, callab.NotSent, `connect to callab: proxy scheme "socks5" is not supported, only http`},
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
