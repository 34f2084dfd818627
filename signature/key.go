package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// sharedKeys decodes the keys of a MAC. Vendors differ in which bytes are the key,
// a common mistake: Stripe uses "whsec_…" as text, Standard Webhooks decodes it,
// Close uses hex.
func sharedKeys(c Config) ([][]byte, error) {
	encoding := c.KeyEncoding
	if encoding == "" {
		encoding = "text"
	}
	if err := oneOf("key_encoding", encoding, "text", "hex", "base64", "whsec"); err != nil {
		return nil, err
	}
	if c.AllowShort && encoding != "whsec" {
		return nil, configErrorf("allow_short", "is only allowed with key_encoding whsec")
	}
	if err := checkSecrets("keys", c.Keys); err != nil {
		return nil, err
	}
	var keys [][]byte
	for i, text := range c.Keys {
		key, err := sharedKey(text, encoding, c.AllowShort)
		if err != nil {
			return nil, configErrorf("keys."+strconv.Itoa(i), "%s", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// minSecretBytes is the length below which a secret can be guessed.
const minSecretBytes = 16

// ShortSecrets returns the secrets of the check, alternatives included, that have
// less than 16 bytes when they are decoded. Public keys are none.
func (c Config) ShortSecrets() []string {
	var short []string
	encoding := c.KeyEncoding
	if encoding == "" || c.Kind == "token" || c.Kind == "basic" {
		encoding = "text"
	}
	for _, text := range slices.Concat(c.Keys, c.Values, c.Passwords) {
		if key, err := sharedKey(text, encoding, true); err == nil && len(key) < minSecretBytes && c.Kind != "publickey" {
			short = append(short, text)
		}
	}
	for _, alternative := range c.AnyOf {
		short = append(short, alternative.ShortSecrets()...)
	}
	return short
}

func sharedKey(text, encoding string, allowShort bool) ([]byte, error) {
	var key []byte
	var err error
	switch encoding {
	case "text":
		return []byte(text), nil
	case "hex":
		key, err = hex.DecodeString(text)
	case "base64":
		key, err = base64.RawStdEncoding.DecodeString(trimPadding(text))
	case "whsec":
		return whsecKey(text, allowShort)
	}
	if err != nil || len(key) == 0 {
		// The decoder's error would contain a part of the key.
		return nil, errors.New("is not " + encoding)
	}
	return key, nil
}

// whsecKey decodes a Standard Webhooks secret: "whsec_" and 24 to 64 bytes in
// base64. Some dashboards print "v1,whsec_".
func whsecKey(text string, allowShort bool) ([]byte, error) {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "v1,"), "whsec_")
	key, err := base64.RawStdEncoding.DecodeString(trimPadding(text))
	switch {
	case err != nil || len(key) == 0:
		return nil, errors.New("is not whsec_ and base64")
	case len(key) < 24 && !allowShort:
		return nil, errors.New("is shorter than the 24 bytes of Standard Webhooks; allow_short accepts it")
	case len(key) > 64:
		return nil, errors.New("is longer than the 64 bytes of Standard Webhooks")
	}
	return key, nil
}

func trimPadding(text string) string { return strings.TrimRight(text, "=") }

// parsePublicKey decodes a key in hex, base64, pem or whpk. In all but pem it is
// either a bare Ed25519 key or the DER of any key (SubjectPublicKeyInfo).
func parsePublicKey(text, encoding string) (crypto.PublicKey, error) {
	der, err := publicKeyBytes(text, encoding)
	if err != nil {
		return nil, errors.New("is not " + encoding)
	}
	if len(der) == ed25519.PublicKeySize && encoding != "pem" {
		return ed25519.PublicKey(der), nil
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("is not a public key")
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return nil, errors.New("is an RSA key of less than 2048 bits")
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, errors.New("is not on the curve P-256")
		}
	}
	return key, nil
}

func publicKeyBytes(text, encoding string) ([]byte, error) {
	switch encoding {
	case "hex":
		return hex.DecodeString(text)
	case "pem":
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, errors.New("no PEM block")
		}
		return block.Bytes, nil
	case "whpk":
		text = strings.TrimPrefix(text, "whpk_")
	}
	return base64.RawStdEncoding.DecodeString(trimPadding(text))
}

// encoding is the text encoding of bytes in a header.
type encoding string

const (
	inHex       encoding = "hex"
	inBase64    encoding = "base64"
	inBase64URL encoding = "base64url"
)

func newEncoding(name string) (encoding, error) {
	return encoding(name), oneOf("encoding", name, string(inHex), string(inBase64), string(inBase64URL))
}

func (e encoding) append(dst, raw []byte) []byte {
	switch e {
	case inHex:
		return hex.AppendEncode(dst, raw)
	case inBase64URL:
		return base64.RawURLEncoding.AppendEncode(dst, raw)
	}
	return base64.StdEncoding.AppendEncode(dst, raw)
}

// equal compares in constant time. It ignores the case of hex and the padding of
// base64. It modifies received.
func (e encoding) equal(expected, received []byte) bool {
	if e == inHex {
		for i, c := range received {
			if 'A' <= c && c <= 'F' {
				received[i] = c + ('a' - 'A')
			}
		}
	} else {
		expected, received = bytes.TrimRight(expected, "="), bytes.TrimRight(received, "=")
	}
	return subtle.ConstantTimeCompare(expected, received) == 1
}

// decode is for public-key signatures, which have to be verified as bytes. It is
// strict, so that each signature has only one valid text.
func (e encoding) decode(text string) ([]byte, error) {
	switch e {
	case inHex:
		return hex.DecodeString(text)
	case inBase64URL:
		return base64.RawURLEncoding.Strict().DecodeString(trimPadding(text))
	}
	return base64.RawStdEncoding.Strict().DecodeString(trimPadding(text))
}
