package callab_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

func TestNewRefusesBadConfig(t *testing.T) {
	t.Parallel()
	some := func() string { return token }
	for _, row := range []struct {
		config callab.Config
		want   string
	}{
		{callab.Config{}, "callab needs a token"},
		{callab.Config{Token: some, Timeout: -1}, "callab timeouts must not be negative"},
		{callab.Config{Token: some, URL: "://"}, "callab URL cannot be parsed"},
		{callab.Config{Token: some, URL: "api.example.com/v1"}, "callab URL must begin with http:// or https://"},
		{callab.Config{Token: some, URL: "ftp://api.example.com"}, "callab URL must begin with http:// or https://"},
		{callab.Config{Token: some, URL: "https:///v1"}, "callab URL has no host"},
		{callab.Config{Token: some, URL: "https://a:secret@example.com"}, "callab URL must not hold a user or password"},
		{callab.Config{Token: some, URL: "https://example.com/v1?key=secret"}, "callab URL must not have a query or fragment"},
		{callab.Config{Token: some, URL: "https://example.com/v1#x"}, "callab URL must not have a query or fragment"},
	} {
		if _, err := callab.New(row.config); err == nil || err.Error() != row.want {
			t.Errorf("%q: %v, want %s", row.config.URL, err, row.want)
		}
	}
	if _, err := callab.New(callab.Config{Token: some}); err != nil {
		t.Errorf("defaults: %v", err)
	}
}

// echo is a server that repeats our token and the telephone number in every part
// of a response that an error could quote.
func echo(form string) func(net.Conn) {
	return func(conn net.Conn) {
		defer conn.Close()
		req, body := wholeRequest(conn)
		if req == nil {
			return
		}
		secrets := fmt.Sprintf("%s %s %s", req.Header.Get("Authorization"), req.URL, body)
		quoted := strings.NewReplacer(`"`, `'`, `\`, `/`).Replace(secrets)
		_, _ = io.WriteString(conn, strings.NewReplacer("TEXT", secrets, "QUOTED", quoted).Replace(form))
	}
}

func TestErrorsHoldNeitherTokenNorNumber(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		"TEXT\r\n\r\n",
		"HTTP/1.1 TEXT\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTEXT\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: TEXT\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: TEXT\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://example.com/TEXT\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n{\"status\":\"error\",\"message\":\"QUOTED\"}",
		"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"QUOTED\",\"data\":\"QUOTED\"}",
		"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\",\"data\":[\"QUOTED\"]}",
		"",
	} {
		address, _ := listen(t, echo(form))
		client := connect(t, address, nil)
		_, queried := client.QueryCalls(t.Context(), callab.Query{Search: callTo})
		_, got := client.GetCall(t.Context(), "7d1b")
		for _, err := range []error{client.CreateCall(t.Context(), newCall(), window()).Err, queried, got} {
			if err == nil {
				t.Errorf("%q: no error", form)
				continue
			}
			for _, secret := range []string{token, callTo, url.QueryEscape(callTo), callTo[1:]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q: error holds %s: %v", form, secret, err)
				}
			}
		}
	}
}

func TestNetworkErrorsHoldNoQuery(t *testing.T) {
	t.Parallel()
	client := connect(t, "http://127.0.0.1:1/v1", nil)
	_, err := client.QueryCalls(t.Context(), callab.Query{Search: callTo})
	if err == nil || strings.Contains(err.Error(), "search") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

func TestTokenInAnswerIsReplaced(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"status":"ok","data":{"id":"7d1b","notes":%q}}`, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	answer := connect(t, server.URL, nil).CreateCall(t.Context(), newCall(), window())
	if answer.Outcome != callab.Accepted || answer.Call.Notes != "Bearer [secret]" || strings.Contains(string(answer.Call.Raw), token) {
		t.Errorf("%v: %s", answer.Outcome, answer.Call.Raw)
	}
}

func TestUnknownAuthorityIsNotSent(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, func(c *callab.Config) { c.TLS = nil })
	answer := client.CreateCall(t.Context(), newCall(), window())
	_, err := client.GetCall(t.Context(), "7d1b")
	if answer.Outcome != callab.NotPlaced || sim.Posts() != 0 || err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v: %v; get: %v", answer.Outcome, answer.Err, err)
	}
}

func TestQueryTimeoutIsAnError(t *testing.T) {
	t.Parallel()
	_, client := simulate(t, callabsim.Options{Faults: []callabsim.Fault{{On: callabsim.OnAll, Kind: callabsim.HangBefore}}},
		func(c *callab.Config) { c.Timeout, c.DialTimeout = 100*time.Millisecond, 100*time.Millisecond })
	if _, err := client.QueryCalls(t.Context(), callab.Query{}); err == nil {
		t.Error("no error after the timeout")
	}
}
