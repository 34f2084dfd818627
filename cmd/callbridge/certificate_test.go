package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certify writes a certificate of its own making into the two files.
func certify(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile:  {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// serial is that of the certificate which an address shows; 0 for none.
func serial(address string, version uint16) int64 {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version})
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestPublicListenerSpeaksTLSAndTakesANewCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certify(t, certFile, keyFile, 1)
	w := newWorld(t, map[string]string{"HTTP_TLS_CERT": certFile, "HTTP_TLS_KEY": keyFile})
	address := w.process.public.socket.Addr().String()
	if got := serial(address, tls.VersionTLS13); got != 1 {
		t.Fatalf("certificate %d, want 1", got)
	}
	if got := serial(address, tls.VersionTLS11); got != 0 {
		t.Error("TLS 1.1 is spoken")
	}
	if got := serial(w.process.admin.socket.Addr().String(), tls.VersionTLS13); got != 0 {
		t.Error("the admin listener speaks TLS")
	}
	var out bytes.Buffer
	if err := health(t.Context(), &out, settings{HTTPAddr: address, HTTPTLSCert: certFile}, "/readyz"); err != nil || !strings.Contains(out.String(), `"ready":true`) {
		t.Errorf("health: %v, %s", err, &out)
	}

	if err := os.WriteFile(keyFile, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the broken key is told of", func() bool {
		return serial(address, tls.VersionTLS13) == 1 && strings.Contains(w.logs.String(), "tls.reload_refused")
	})
	certify(t, certFile, keyFile, 2)
	until(t, "the new certificate is shown", func() bool { return serial(address, tls.VersionTLS13) == 2 })
}

func TestSenderThatTricklesItsHeadersIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	conn, err := net.Dial("tcp", w.process.public.socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begun := time.Now()
	// A byte a second would do to hold the connection, if nobody looked at
	// the whole.
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
	w := newWorld(t, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.process.public.url()+"/webhooks/website", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Large", strings.Repeat("a", 128<<10))
	if got := w.do(request); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %d, want 431", got)
	}
}
