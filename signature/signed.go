package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// signed is a check of kind hmac, digest or publickey. It builds a text from the
// request and verifies its signature. The kinds differ only in the matcher.
type signed struct {
	format      format
	signingTime *signingTime
	id          *location
	template    template
	url         senderURL
	matcher     matcher

	// coversBody: the signed text contains any body; coversForm: only forms.
	// allowUncovered: the config accepts that it contains neither.
	coversBody, coversForm, allowUncovered bool
}

// matcher reports whether one of the signatures is a valid signature of m.
type matcher interface {
	match(m message, signatures []string) bool
}

func newSigned(c Config, publicURL string, m matcher) (*signed, error) {
	v := &signed{matcher: m, allowUncovered: c.AllowUnsignedBody}
	var err error
	if v.signingTime, err = newSigningTime(c.Timestamp); err != nil {
		return nil, prefixKey("timestamp", err)
	}
	if v.format, err = newFormat(c); err != nil {
		return nil, err
	}
	if c.ID != nil {
		id, err := newHeaderLocation(c.ID.Header)
		if err != nil {
			return nil, prefixKey("id", err)
		}
		v.id = &id
	}
	if v.template, err = parseTemplate(c.Signed); err != nil {
		return nil, err
	}
	if v.url, err = newSenderURL(c.URL, publicURL, v.template); err != nil {
		return nil, prefixKey("url", err)
	}
	v.coversBody = v.template.has("body", "body_sha256_hex")
	v.coversForm = v.template.has("form_sorted")
	return v, v.checkTemplate(c.Kind)
}

// checkTemplate refuses configurations that verify less than they appear to.
func (v *signed) checkTemplate(kind string) error {
	hasTimestamp, hasID := v.template.has("timestamp"), v.template.has("id")
	switch {
	case v.signingTime != nil && !hasTimestamp:
		return configErrorf("timestamp", "signed has no {timestamp}: the time would not be authenticated")
	case v.signingTime == nil && hasTimestamp:
		return configErrorf("timestamp", "missing; signed has {timestamp}")
	case v.id != nil && !hasID:
		return configErrorf("id", "signed has no {id}")
	case v.id == nil && hasID:
		return configErrorf("id", "missing; signed has {id}")
	case (kind == "digest") != v.template.has("secret"):
		return configErrorf("signed", "{secret} is required in a digest and not allowed elsewhere")
	case !v.coversBody && !v.coversForm && v.url.bodyHash == "" && !v.allowUncovered:
		return configErrorf("signed", "does not cover the body: no {body}; if the sender does not sign it, set allow_unsigned_body")
	}
	return nil
}

func (v *signed) verify(r Request, now time.Time) *Failure {
	p, failure := v.format.read(r)
	if failure != nil {
		return failure
	}
	timestamp, failure := v.signingTime.read(r, p)
	if failure != nil {
		return failure
	}
	m, failure := v.message(r, timestamp)
	if failure != nil {
		return failure
	}
	if failure := v.checkBodyCovered(r); failure != nil {
		return failure
	}
	if !v.match(m, r.URI, p.signatures) {
		return failuref(ReasonMismatch, "no signature matches")
	}
	return v.signingTime.check(timestamp, now)
}

func (v *signed) message(r Request, timestamp string) (message, *Failure) {
	id := ""
	if v.id != nil {
		var failure *Failure
		if id, failure = v.id.read(r); failure != nil {
			return message{}, failure
		}
	}
	return v.template.fill(r, timestamp, id)
}

func (v *signed) match(m message, uri string, signatures []string) bool {
	if !v.template.has("url") {
		return v.matcher.match(m, signatures)
	}
	for _, m.url = range v.url.candidates(uri) {
		if v.matcher.match(m, signatures) {
			return true
		}
	}
	return false
}

// checkBodyCovered refuses a body that the signed text does not contain:
// {form_sorted} is empty for JSON, and {url} never contains a body.
func (v *signed) checkBodyCovered(r Request) *Failure {
	switch {
	case v.coversBody, v.coversForm && len(r.Body) > 0 && isForm(r.Header):
		return nil
	case v.url.bodyHash != "":
		return v.url.checkBodyHash(r)
	case v.allowUncovered, len(r.Body) == 0:
		return nil
	}
	return failuref(ReasonUncovered, "the signature does not cover a body of this content type")
}

// hashes are the supported hash functions. SHA-1 is still secure in an HMAC, and
// Intercom and Twilio offer nothing else. MD5 is not supported.
var hashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// hashMatcher is the matcher of hmac and digest. It encodes the expected value
// and compares texts, so it never decodes the sender's value.
type hashMatcher struct {
	keys     []*hashKey
	encoding encoding
	// plain means a hash without a key; the signed text contains the secret.
	plain bool
}

// hashKey is a key and a pool of hashers that are initialized with it.
type hashKey struct {
	secret  []byte
	hashers sync.Pool
}

// hasher is a hash and its buffers.
type hasher struct {
	hash.Hash
	sum, expected, received []byte
}

func newHMAC(c Config, publicURL string) (check, error) {
	return newHashed(c, publicURL, false)
}

// newDigest returns the check for a plain hash over a text that contains the
// secret (HubSpot v1 and v2).
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
	m := hashMatcher{encoding: enc, plain: plain}
	for _, key := range keys {
		m.keys = append(m.keys, newHashKey(hashes[c.Hash], key, plain))
	}
	return newSigned(c, publicURL, m)
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

func (s hashMatcher) match(m message, signatures []string) bool {
	found := false
	for _, key := range s.keys {
		h := key.hashers.Get().(*hasher)
		if s.computeExpected(h, key, m) {
			for _, signature := range signatures {
				h.received = append(h.received[:0], signature...)
				found = s.encoding.equal(h.expected, h.received) || found
			}
		}
		key.hashers.Put(h)
	}
	return found
}

// computeExpected stores in h the expected signature of m. It returns false for a
// digest of a text that is not UTF-8, to prevent length extension: hash(secret +
// text) is enough to compute the hash of secret + text + padding + suffix, and
// the padding begins with 0x80.
func (s hashMatcher) computeExpected(h *hasher, key *hashKey, m message) bool {
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

// publicKeyMatcher is the matcher of publickey: the sender signs with its private
// key, and we have the public one.
type publicKeyMatcher struct {
	keys     []crypto.PublicKey
	encoding encoding
}

func newPublicKey(c Config, publicURL string) (check, error) {
	if len(c.Algorithms) != 1 {
		return nil, configErrorf("alg", "one of ed25519, ecdsa-p256, rsa-pkcs1-sha256")
	}
	algorithm := c.Algorithms[0]
	if err := oneOf("alg", algorithm, "ed25519", "ecdsa-p256", "rsa-pkcs1-sha256"); err != nil {
		return nil, err
	}
	if c.AllowShort {
		return nil, configErrorf("allow_short", "is only allowed with key_encoding whsec")
	}
	enc, err := newEncoding(c.Encoding)
	if err != nil {
		return nil, err
	}
	keys, err := parsePublicKeys(c)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if algorithmOf(key) != algorithm {
			return nil, configErrorf("keys."+strconv.Itoa(i), "is not a key for %s", algorithm)
		}
	}
	return newSigned(c, publicURL, publicKeyMatcher{keys: keys, encoding: enc})
}

func parsePublicKeys(c Config) ([]crypto.PublicKey, error) {
	if err := oneOf("key_encoding", c.KeyEncoding, "pem", "base64", "hex", "whpk"); err != nil {
		return nil, err
	}
	if len(c.Keys) == 0 {
		return nil, configErrorf("keys", "missing")
	}
	var keys []crypto.PublicKey
	for i, text := range c.Keys {
		key, err := parsePublicKey(text, c.KeyEncoding)
		if err != nil {
			return nil, configErrorf("keys."+strconv.Itoa(i), "%s", err)
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

func (s publicKeyMatcher) match(m message, signatures []string) bool {
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

// verifyWith chooses the algorithm by the type of the key, never by what the
// sender says.
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
