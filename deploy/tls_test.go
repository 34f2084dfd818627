package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/bustest"
)

// TestTLSWithAClientCertificate: a server with the users of nats/accounts.conf
// takes a bridge only with a certificate of its authority, and the bridge takes
// the server only with its authority's.
func TestTLSWithAClientCertificate(t *testing.T) {
	passwords(t)
	ca := newAuthority(t)
	o := configured(t, "nats/single.conf")
	o.Port, o.HTTPPort, o.StoreDir = server.RANDOM_PORT, 0, t.TempDir()
	o.TLS, o.TLSVerify, o.TLSTimeout = true, true, 5
	o.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "server")}, ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	s := bustest.Server(t, o)
	ca.issue(t, "bridge")
	certificate := []string{"NATS_TLS_CERT=" + ca.file("bridge.crt"), "NATS_TLS_KEY=" + ca.file("bridge.key")}
	authority := "NATS_TLS_CA=" + ca.file("ca.crt")
	url := "tls://" + s.Addr().String()

	b := serve(t, url, simulator(t), append(certificate, authority, "NATS_REPLICAS=1")...)
	if got := b.website("website-lead.json"); got != "requested" {
		t.Errorf("the webhook is %s", got)
	}
	for title, env := range map[string][]string{"without a certificate": {authority}, "without the authority": certificate} {
		p := start(t, serving(t, url, "http://127.0.0.1:1/v1", append(env, "NATS_REPLICAS=1")...), "serve")
		if said := p.tells(`(?m)^callbridge: (.*)$`); !strings.Contains(said, "NATS_URL cannot be reached") {
			t.Errorf("%s: %s", title, said)
		}
	}
}

// authority issues certificates, and keeps them as files.
type authority struct {
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.certificate)
	a.write(t, "ca.crt", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes name.crt and name.key, for a server and a client on loopback.
func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".crt", "CERTIFICATE", der)
	a.write(t, name+".key", "PRIVATE KEY", secret)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
