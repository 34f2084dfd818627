package callab_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

const (
	token     = "test-token-0123456789abcdef"
	callTo    = "+12025550142"
	requestID = "0b7e9a4e-5c0d-5a53-8f64-3a1f7f0f6c11"
)

// simulate starts a simulator over TLS and returns it with a client of it.
func simulate(t *testing.T, options callabsim.Options, change func(*callab.Config)) (*callabsim.Sim, *callab.Client) {
	t.Helper()
	options.Tokens = []string{token}
	sim := callabsim.New(options)
	server := httptest.NewUnstartedServer(sim)
	// The server logs handshakes that a test breaks off.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return sim, connect(t, server.URL+"/v1", func(c *callab.Config) {
		c.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig
		if change != nil {
			change(c)
		}
	})
}

// connect returns a client of the server at url.
func connect(t testing.TB, url string, change func(*callab.Config)) *callab.Client {
	t.Helper()
	config := callab.Config{URL: url, Token: func() string { return token }, Timeout: time.Minute, DialTimeout: time.Minute}
	if change != nil {
		change(&config)
	}
	client, err := callab.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// listen starts a server that passes each connection to handle and counts them.
func listen(t *testing.T, handle func(net.Conn)) (url string, accepted *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	accepted = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			go handle(conn)
		}
	}()
	return "http://" + listener.Addr().String() + "/v1", accepted
}

func window() callab.Window { return callab.Window{Start: time.Now(), Length: time.Minute} }

func newCall() callab.NewCall {
	return callab.NewCall{
		CampaignID: "3c90c3cc-0d44-4b50-8888-8dd25736052a",
		AIAgentID:  "5e1a7a52-91f5-4dd4-9f0c-0f6f1c6f2a10",
		CallFrom:   "+12025550100", CallTo: callTo, CallDirection: "outbound",
		Metadata:              map[string]any{"request": requestID},
		AgentDynamicVariables: map[string]string{"first_name": "Ada", "empty": ""},
		Notes:                 "request " + requestID,
	}
}

// wholeRequest reads one request with its body from conn.
func wholeRequest(conn net.Conn) (*http.Request, string) {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return nil, ""
	}
	body, _ := io.ReadAll(req.Body)
	return req, string(body)
}
