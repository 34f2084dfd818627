package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"strconv"
)

// publicKeys is the scheme of publickey: the sender signs with a key that we
// do not have.
type publicKeys struct {
	keys     []crypto.PublicKey
	encoding encoding
}

func newPublicKey(c Config, publicURL string) (check, error) {
	if len(c.Algorithms) != 1 {
		return nil, faulty("alg", "one of ed25519, ecdsa-p256, rsa-pkcs1-sha256")
	}
	algorithm := c.Algorithms[0]
	if err := oneOf("alg", algorithm, "ed25519", "ecdsa-p256", "rsa-pkcs1-sha256"); err != nil {
		return nil, err
	}
	if c.AllowShort {
		return nil, faulty("allow_short", "only key_encoding whsec takes it")
	}
	enc, err := newEncoding(c.Encoding)
	if err != nil {
		return nil, err
	}
	keys, err := readPublicKeys(c)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if algorithmOf(key) != algorithm {
			return nil, faulty("keys."+strconv.Itoa(i), "is no key for %s", algorithm)
		}
	}
	return newSigned(c, publicURL, publicKeys{keys: keys, encoding: enc})
}

func readPublicKeys(c Config) ([]crypto.PublicKey, error) {
	if err := oneOf("key_encoding", c.KeyEncoding, "pem", "base64", "hex", "whpk"); err != nil {
		return nil, err
	}
	if len(c.Keys) == 0 {
		return nil, faulty("keys", "missing")
	}
	var keys []crypto.PublicKey
	for i, text := range c.Keys {
		key, err := parsePublicKey(text, c.KeyEncoding)
		if err != nil {
			return nil, faulty("keys."+strconv.Itoa(i), "%s", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func algorithmOf(key crypto.PublicKey) string {
	switch key.(type) {
	case ed25519.PublicKey:
		return "ed25519"
	case *ecdsa.PublicKey:
		return "ecdsa-p256"
	case *rsa.PublicKey:
		return "rsa-pkcs1-sha256"
	}
	return ""
}

func (s publicKeys) match(m message, signatures []string) bool {
	text := m.bytes(nil)
	for _, signature := range signatures {
		raw, err := s.encoding.decode(signature)
		if err != nil {
			continue
		}
		for _, key := range s.keys {
			if verifyWith(key, text, raw) {
				return true
			}
		}
	}
	return false
}

// verifyWith lets the type of the key decide the algorithm, never the sender.
func verifyWith(key crypto.PublicKey, text, signature []byte) bool {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, text, signature)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(text)
		return ecdsa.VerifyASN1(k, sum[:], signature)
	case *rsa.PublicKey:
		sum := sha256.Sum256(text)
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}
