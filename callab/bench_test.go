package callab_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

// BenchmarkCreateCall is one call on a fresh connection over loopback.
func BenchmarkCreateCall(b *testing.B) {
	for _, scheme := range []string{"http", "https"} {
		b.Run(scheme, func(b *testing.B) {
			server := httptest.NewUnstartedServer(callabsim.New(callabsim.Options{}))
			if scheme == "https" {
				server.StartTLS()
			} else {
				server.Start()
			}
			b.Cleanup(server.Close)
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
	}
}
