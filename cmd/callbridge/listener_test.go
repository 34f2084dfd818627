package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"callbridge/internal/testkit"
)

// serial returns the serial number of a server's certificate, 0 if the handshake fails.
func serial(address string, version uint16) int64 {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version})
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestPublicListenerUsesTLSAndLoadsANewCertificate(t *testing.T) {
	t.Parallel()
	authority := testkit.NewAuthority(t)
	certFile, keyFile := authority.Issue("tls")
	b := startBridge(t, map[string]string{"HTTP_TLS_CERT": certFile, "HTTP_TLS_KEY": keyFile})
	address := b.process.public.Addr().String()
	first := serial(address, tls.VersionTLS13)
	if first == 0 {
		t.Fatal("no certificate")
	}
	if got := serial(address, tls.VersionTLS11); got != 0 {
		t.Error("TLS 1.1 is accepted")
	}
	if got := serial(b.process.admin.Addr().String(), tls.VersionTLS13); got != 0 {
		t.Error("the admin listener uses TLS")
	}
	var out bytes.Buffer
	if err := health(t.Context(), &out, settings{HTTPAddr: address, HTTPTLSCert: certFile}, "/readyz"); err != nil || !strings.Contains(out.String(), `"ready":true`) {
		t.Errorf("health: %v, %s", err, &out)
	}

	if err := os.WriteFile(keyFile, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the broken key is logged", func() bool {
		return serial(address, tls.VersionTLS13) == first && strings.Contains(b.logs.String(), "tls.reload_refused")
	})
	authority.Issue("tls")
	testkit.Eventually(t, "the new certificate is in use", func() bool { return serial(address, tls.VersionTLS13) == first+1 })
}

func TestConnectionWithSlowHeadersIsClosed(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	conn, err := net.Dial("tcp", b.process.public.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begun := time.Now()
	// Each byte resets an idle timeout, so only a limit for the whole header closes the
	// connection.
	trickle := time.NewTicker(250 * time.Millisecond)
	defer trickle.Stop()
	go func() {
		_, _ = conn.Write([]byte("POST /webhooks/website HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		for range trickle.C {
			if _, err := conn.Write([]byte("a")); err != nil {
				return
			}
		}
	}()
	if err := conn.SetReadDeadline(begun.Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = conn.Read(make([]byte, 512))
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("cut off after %s", took)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	if got := b.post("/webhooks/website", "", http.Header{"X-Large": {strings.Repeat("a", 24<<10)}}).Status; got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %d, want 431", got)
	}
}
