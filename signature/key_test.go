package signature_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"callbridge/signature"
)

func TestSharedKeyEncodings(t *testing.T) {
	t.Parallel()
	const raw = "24 bytes, no less will do"
	in64 := base64.StdEncoding.EncodeToString([]byte(raw))
	short := "whsec_" + base64.StdEncoding.EncodeToString([]byte("short"))
	for _, c := range []struct {
		name, encoding, text string
		allowShort           bool
		bytes                string
		fault                string
	}{
		{name: "text is the default", text: raw, bytes: raw},
		{name: "text that looks like whsec", encoding: "text", text: "whsec_abc", bytes: "whsec_abc"},
		{name: "hex", encoding: "hex", text: hex.EncodeToString([]byte(raw)), bytes: raw},
		{name: "upper-case hex", encoding: "hex", text: strings.ToUpper(hex.EncodeToString([]byte(raw))), bytes: raw},
		{name: "no hex", encoding: "hex", text: "hush", fault: "is not hex"},
		{name: "base64", encoding: "base64", text: in64, bytes: raw},
		{name: "base64 without padding", encoding: "base64", text: strings.TrimRight(in64, "="), bytes: raw},
		{name: "no base64", encoding: "base64", text: "hush!", fault: "is not base64"},
		{name: "padding only", encoding: "base64", text: "==", fault: "is not base64"},
		{name: "whsec", encoding: "whsec", text: "whsec_" + in64, bytes: raw},
		{name: "whsec without prefix", encoding: "whsec", text: in64, bytes: raw},
		{name: "whsec as Supabase prints it", encoding: "whsec", text: "v1,whsec_" + in64, bytes: raw},
		{name: "no whsec", encoding: "whsec", text: "whsec_hush!", fault: "is not whsec_ and base64"},
		{name: "empty whsec", encoding: "whsec", text: "whsec_", fault: "is not whsec_ and base64"},
		{name: "short whsec", encoding: "whsec", text: short, fault: "is shorter than the 24 bytes of Standard Webhooks; allow_short accepts it"},
		{name: "short whsec, allowed", encoding: "whsec", text: short, allowShort: true, bytes: "short"},
		{name: "long whsec", encoding: "whsec", text: "whsec_" + strings.Repeat("AAAA", 22), fault: "is longer than the 64 bytes of Standard Webhooks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := signedText("{body}")
			config.Keys, config.KeyEncoding, config.AllowShort = signature.Secrets{c.text}, c.encoding, c.allowShort
			v, err := signature.New([]signature.Config{config}, "")
			var fault *signature.ConfigError
			if errors.As(err, &fault) {
				if fault.Key != "0.keys.0" || fault.Text != c.fault {
					t.Errorf("got %v, want %q", err, c.fault)
				}
				return
			}
			mac := hex.EncodeToString(hmacSHA256(c.bytes, body))
			expect(t, v.Verify(request(headers{"X-Signature": mac}), now), c.fault)
		})
	}
}

func TestPublicKeyEncodings(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	in64 := base64.StdEncoding.EncodeToString
	signed := in64(ed25519.Sign(private, []byte(unix+body)))
	for _, c := range []struct{ name, encoding, key string }{
		{"bare in hex (Discord)", "hex", hex.EncodeToString(public)},
		{"bare in base64 (Telnyx)", "base64", in64(public)},
		{"DER in base64 (HighLevel)", "base64", in64(publicDER(t, private))},
		{"DER in hex", "hex", hex.EncodeToString(publicDER(t, private))},
		{"PEM", "pem", pemText(t, private)},
		{"whpk (Standard Webhooks)", "whpk", "whpk_" + in64(public)},
	} {
		v := verifier(t, publicConfig("ed25519", c.encoding, c.key))
		r := request(headers{"X-Signature": signed, "X-Timestamp": unix})
		if err := v.Verify(r, now); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		r.Header.Set("X-Signature", "N/A") // HighLevel's word for unsigned.
		expect(t, v.Verify(r, now), "publickey: no signature matches")
	}
}

// 64 bytes leave four bits of the last base64 digit unused; another spelling of
// them would be a second signature for the same text.
func TestPublicKeySignatureHasOneEncoding(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	signed := base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(unix+body)))
	respelled := signed[:85] + string(signed[85]+1) + "=="
	v := verifier(t, publicConfig("ed25519", "hex", hex.EncodeToString(public)))
	expect(t, v.Verify(request(headers{"X-Signature": signed, "X-Timestamp": unix}), now), "")
	expect(t, v.Verify(request(headers{"X-Signature": respelled, "X-Timestamp": unix}), now), "publickey: no signature matches")
}

func TestNewRefusesUnsuitablePublicKey(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	fatal(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 1024)
	fatal(t, err)
	der := func(private crypto.Signer) string {
		return base64.StdEncoding.EncodeToString(publicDER(t, private))
	}
	for _, c := range []struct{ algorithm, encoding, key, want string }{
		{"ed25519", "base64", "!", "verify.0.keys.0: is not base64"},
		{"ed25519", "hex", "zz", "verify.0.keys.0: is not hex"},
		{"ed25519", "pem", "hush", "verify.0.keys.0: is not pem"},
		{"ed25519", "whpk", "whpk_AAAA", "verify.0.keys.0: is not a public key"},
		{"ed25519", "base64", "", "verify.0.keys.0: is not a public key"},
		{"ed25519", "text", "hush", `verify.0.key_encoding: "text" is unknown; one of pem, base64, hex, whpk`},
		{"dsa", "pem", "hush", `verify.0.alg: "dsa" is unknown; one of ed25519, ecdsa-p256, rsa-pkcs1-sha256`},
		{"ecdsa-p256", "base64", der(ed), "verify.0.keys.0: is not a key for ecdsa-p256"},
		{"ecdsa-p256", "base64", der(ec), "verify.0.keys.0: is not on the curve P-256"},
		{"rsa-pkcs1-sha256", "base64", der(rs), "verify.0.keys.0: is an RSA key of less than 2048 bits"},
	} {
		_, err := signature.New([]signature.Config{publicConfig(c.algorithm, c.encoding, c.key)}, "")
		expect(t, err, c.want)
	}
}
