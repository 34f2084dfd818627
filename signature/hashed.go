package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
	"unicode/utf8"
)

// hashes are those that still stand up in this use. SHA-1 does as an HMAC, and
// Intercom and Twilio offer nothing else; MD5 is not worth the question.
var hashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// hashed is the scheme of hmac and digest: encode what is expected and compare
// it as text. What came from outside is never decoded.
type hashed struct {
	keys     []*hashKey
	encoding encoding
	// plain is a hash without a key; the text holds the secret.
	plain bool
}

// hashKey is a key with hashers that hold it already.
type hashKey struct {
	secret  []byte
	hashers sync.Pool
}

// hasher is a hash and room for what it is compared with.
type hasher struct {
	hash.Hash
	sum, expected, given []byte
}

func newHMAC(c Config, publicURL string) (check, error) {
	return newHashed(c, publicURL, false)
}

// newDigest makes the check for a plain hash over a text with the secret in it
// (HubSpot v1 and v2).
func newDigest(c Config, publicURL string) (check, error) {
	return newHashed(c, publicURL, true)
}

func newHashed(c Config, publicURL string, plain bool) (check, error) {
	if err := oneOf("hash", c.Hash, "sha256", "sha512", "sha1"); err != nil {
		return nil, err
	}
	enc, err := newEncoding(c.Encoding)
	if err != nil {
		return nil, err
	}
	keys, err := sharedKeys(c)
	if err != nil {
		return nil, err
	}
	scheme := hashed{encoding: enc, plain: plain}
	for _, key := range keys {
		scheme.keys = append(scheme.keys, newHashKey(hashes[c.Hash], key, plain))
	}
	return newSigned(c, publicURL, scheme)
}

func newHashKey(algorithm func() hash.Hash, key []byte, plain bool) *hashKey {
	k := &hashKey{secret: key}
	k.hashers.New = func() any {
		if plain {
			return &hasher{Hash: algorithm()}
		}
		return &hasher{Hash: hmac.New(algorithm, key)}
	}
	return k
}

func (s hashed) match(m message, signatures []string) bool {
	found := false
	for _, key := range s.keys {
		h := key.hashers.Get().(*hasher)
		if s.expect(h, key, m) {
			for _, signature := range signatures {
				h.given = append(h.given[:0], signature...)
				found = s.encoding.equal(h.expected, h.given) || found
			}
		}
		key.hashers.Put(h)
	}
	return found
}

// expect leaves in h the signature that m should have. It is false for a digest
// of a text that is not UTF-8: whoever has seen hash(secret + text) can compute
// that of secret + text + padding + anything, and the padding begins with 0x80.
func (s hashed) expect(h *hasher, key *hashKey, m message) bool {
	h.Reset()
	if s.plain {
		text := m.bytes(key.secret)
		_, _ = h.Write(text)
		if !utf8.Valid(text) {
			return false
		}
	} else {
		m.write(h, nil)
	}
	h.sum = h.Sum(h.sum[:0])
	h.expected = s.encoding.append(h.expected[:0], h.sum)
	return true
}
