package signature_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"callbridge/signature"
)

var (
	now  = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)
	unix = strconv.FormatInt(now.Unix(), 10)
)

const (
	body     = `{"event":"lead.created","name":"Zoë","phone":"+12025550142"}`
	key      = "first-key-of-the-test"
	otherKey = "second-key-of-the-test"
)

// genuine is a request that its config accepts, created without the code under test.
type genuine struct {
	config  signature.Config
	request signature.Request
	// credential is the header that proves the sender.
	credential string
	// coversBody: the signature covers the body.
	coversBody bool
	// timed: the credential expires.
	timed bool
}

type headers map[string]string

func request(h headers) signature.Request {
	r := signature.Request{Method: http.MethodPost, URI: "/webhooks/crm?a=1", Header: http.Header{}, Body: []byte(body)}
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return r
}

func hmacSHA256(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexMAC(text string) string { return hex.EncodeToString(hmacSHA256(key, text)) }

func sum256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func base64URL(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// token256 is an HS256 token over the claims.
func token256(claims string) string {
	text := base64URL([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64URL([]byte(claims))
	return text + "." + base64URL(hmacSHA256(key, text))
}

func verifier(t testing.TB, configs ...signature.Config) *signature.Verifier {
	t.Helper()
	v, err := signature.New(configs, "https://bridge.example.com")
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	return v
}

func genuineRequests(t *testing.T) map[string]genuine {
	cases := map[string]genuine{
		"hmac plain": {
			config:     plainConfig(),
			request:    request(headers{"X-Signature": "sha256=" + hexMAC(body)}),
			credential: "X-Signature", coversBody: true,
		},
		"hmac kv": {
			config:     kvConfig(),
			request:    request(headers{"X-Signature": "t=" + unix + ",v1=" + hexMAC(unix+"."+body)}),
			credential: "X-Signature", coversBody: true, timed: true,
		},
		"hmac list": {
			config: listConfig(),
			request: request(headers{
				"Webhook-Id": "msg_1", "Webhook-Timestamp": unix,
				"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(hmacSHA256(key, "msg_1."+unix+"."+body)),
			}),
			credential: "Webhook-Signature", coversBody: true, timed: true,
		},
		"digest": {
			config:     digestConfig(),
			request:    request(headers{"X-Signature": hex.EncodeToString(sum256(key + body))}),
			credential: "X-Signature", coversBody: true,
		},
		"token": {
			config:     signature.Config{Kind: "token", Header: signature.List{"Authorization"}, Scheme: signature.List{"Bearer"}},
			request:    request(headers{"Authorization": "Bearer " + key}),
			credential: "Authorization",
		},
		"basic": {
			config:     signature.Config{Kind: "basic", User: "crm"},
			request:    request(headers{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("crm:"+key))}),
			credential: "Authorization",
		},
		"jwt": {
			config:     signature.Config{Kind: "jwt", Header: signature.List{"Authorization"}, Algorithms: signature.List{"HS256"}, Leeway: time.Minute},
			request:    request(headers{"Authorization": token256(`{"exp":` + unix + `}`)}),
			credential: "Authorization", timed: true,
		},
	}
	for name, g := range cases {
		g.config = g.config.WithSecrets(key)
		cases[name] = g
	}
	addPublicKeys(t, cases)
	return cases
}

func plainConfig() signature.Config {
	return signature.Config{
		Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Prefix: "sha256=", Encoding: "hex",
	}
}

func kvConfig() signature.Config {
	return signature.Config{
		Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Encoding: "hex",
		Format: "kv", Field: signature.List{"v1"}, Signed: "{timestamp}.{body}",
		Timestamp: &signature.Timestamp{Field: "t", Format: "unix", Tolerance: 5 * time.Minute},
	}
}

func listConfig() signature.Config {
	return signature.Config{
		Kind: "hmac", Hash: "sha256", Header: signature.List{"Webhook-Signature"}, Encoding: "base64",
		Format: "list", Field: signature.List{"v1"}, Signed: "{id}.{timestamp}.{body}",
		ID: &signature.ID{Header: signature.List{"Webhook-Id"}},
		Timestamp: &signature.Timestamp{
			Header: signature.List{"Webhook-Timestamp"}, Format: "unix", Tolerance: 5 * time.Minute,
		},
	}
}

func digestConfig() signature.Config {
	return signature.Config{
		Kind: "digest", Hash: "sha256", Header: signature.List{"X-Signature"}, Encoding: "hex", Signed: "{secret}{body}",
	}
}

// addPublicKeys generates keys, so that no private key is in the repository.
func addPublicKeys(t *testing.T, cases map[string]genuine) {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	fatal(t, err)
	for name, private := range map[string]crypto.Signer{"ed25519": ed, "ecdsa-p256": ec, "rsa-pkcs1-sha256": rs} {
		text, options := sum256(unix+body), crypto.SHA256
		if name == "ed25519" {
			text, options = []byte(unix+body), crypto.Hash(0)
		}
		signed, err := private.Sign(rand.Reader, text, options)
		fatal(t, err)
		cases["publickey "+name] = genuine{
			config: publicConfig(name, "base64", base64.StdEncoding.EncodeToString(publicDER(t, private))),
			request: request(headers{
				"X-Signature": base64.StdEncoding.EncodeToString(signed), "X-Timestamp": unix,
			}),
			credential: "X-Signature", coversBody: true, timed: true,
		}
	}
}

func publicConfig(algorithm, encoding, key string) signature.Config {
	return signature.Config{
		Kind: "publickey", Algorithms: signature.List{algorithm}, KeyEncoding: encoding, Keys: signature.Secrets{key},
		Header: signature.List{"X-Signature"}, Encoding: "base64", Signed: "{timestamp}{body}",
		Timestamp: &signature.Timestamp{Header: signature.List{"X-Timestamp"}, Format: "unix", Tolerance: 5 * time.Minute},
	}
}

func publicDER(t *testing.T, private crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	fatal(t, err)
	return der
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signedText is a config over a text, with the bare hex MAC in X-Signature.
func signedText(text string) signature.Config {
	return signature.Config{
		Kind: "hmac", Hash: "sha256", Header: signature.List{"X-Signature"}, Encoding: "hex", Signed: text,
		Keys: signature.Secrets{key},
	}
}

func pemText(t *testing.T, private crypto.Signer) string {
	t.Helper()
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(t, private)}
	return strings.TrimSpace(string(pem.EncodeToMemory(block)))
}

func decode(t *testing.T, text string) signature.Config {
	t.Helper()
	var c signature.Config
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// reason returns the Reason of a Verify error, "" for nil.
func reason(t *testing.T, err error) signature.Reason {
	t.Helper()
	var failure *signature.Failure
	if err != nil && !errors.As(err, &failure) {
		t.Fatalf("error is a %T, want *Failure", err)
	}
	if failure == nil {
		return ""
	}
	return failure.Reason
}
