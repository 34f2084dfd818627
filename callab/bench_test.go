package callab_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

// BenchmarkCreateCall compares a call on a new connection over loopback, as the
// client places it, with one by net/http on a reused connection: the difference
// is the cost of a new connection for each call, without the network.
func BenchmarkCreateCall(b *testing.B) {
	for _, scheme := range []string{"http", "https"} {
		b.Run(scheme+"/connection=fresh", func(b *testing.B) {
			server := serve(b, scheme)
			client := connect(b, server.URL+"/v1", func(c *callab.Config) {
				if scheme == "https" {
					c.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig
				}
			})
			b.ReportAllocs()
			for b.Loop() {
				if answer := client.CreateCall(b.Context(), newCall(), window()); answer.Outcome != callab.Accepted {
					b.Fatal(answer.Err)
				}
			}
		})
		b.Run(scheme+"/connection=kept", func(b *testing.B) {
			server := serve(b, scheme)
			b.ReportAllocs()
			for b.Loop() {
				post(b, server)
			}
		})
	}
}

func serve(b *testing.B, scheme string) *httptest.Server {
	b.Helper()
	server := httptest.NewUnstartedServer(callabsim.New(callabsim.Options{}))
	if scheme == "https" {
		server.StartTLS()
	} else {
		server.Start()
	}
	b.Cleanup(server.Close)
	return server
}

func post(b *testing.B, server *httptest.Server) {
	b.Helper()
	body, err := json.Marshal(newCall())
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/v1/calls", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := server.Client().Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode/100 != 2 {
		b.Fatalf("status %d, error %v", resp.StatusCode, err)
	}
}
