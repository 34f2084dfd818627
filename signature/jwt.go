package signature

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// jwt is a signed token (RFC 7519) in a header, as monday sends it.
type jwt struct {
	spot      spot
	schemes   schemes
	keys      []jwtKey
	audience  []string
	issuer    []string
	leeway    time.Duration
	bodyClaim string
	encoding  encoding
}

// jwtKey is bound to its algorithm, so that a token cannot have a public key
// used as an HMAC secret, or none at all (RFC 8725 §3.1).
type jwtKey struct {
	algorithm string
	secret    []byte
	public    crypto.PublicKey
}

// jwtNames are JOSE's names for what a public key is for.
var jwtNames = map[string]string{"ed25519": "EdDSA", "rsa-pkcs1-sha256": "RS256"}

func newJWT(c Config, _ string) (check, error) {
	place, err := newHeaderSpot(c.Header)
	if err != nil {
		return nil, err
	}
	j := &jwt{
		spot: place, schemes: schemes(c.Scheme), audience: c.Audience, issuer: c.Issuer,
		leeway: c.Leeway, bodyClaim: c.BodyHashClaim, encoding: encoding(c.Encoding),
	}
	switch {
	case c.Leeway < 0:
		return nil, faulty("leeway", "is negative")
	case slices.Contains(c.Audience, ""):
		return nil, faulty("aud", "is empty")
	case slices.Contains(c.Issuer, ""):
		return nil, faulty("iss", "is empty")
	case (c.BodyHashClaim == "") != (c.Encoding == ""):
		return nil, faulty("body_hash_claim", "goes together with encoding, which is that of its hash")
	}
	if c.BodyHashClaim != "" {
		if _, err := newEncoding(c.Encoding); err != nil {
			return nil, err
		}
	}
	j.keys, err = jwtKeys(c)
	return j, err
}

func jwtKeys(c Config) ([]jwtKey, error) {
	for _, algorithm := range c.Algorithms {
		if err := oneOf("alg", algorithm, "HS256", "RS256", "EdDSA"); err != nil {
			return nil, err
		}
	}
	if len(c.Algorithms) == 0 {
		return nil, faulty("alg", "missing; one or more of HS256, RS256, EdDSA")
	}
	if !slices.Contains(c.Algorithms, "HS256") {
		return publicJWTKeys(c)
	}
	if len(c.Algorithms) > 1 {
		return nil, faulty("alg", "HS256 must stand alone: its keys are secret, the others' are not")
	}
	secrets, err := sharedKeys(c)
	if err != nil {
		return nil, err
	}
	var keys []jwtKey
	for _, secret := range secrets {
		keys = append(keys, jwtKey{algorithm: "HS256", secret: secret})
	}
	return keys, nil
}

func publicJWTKeys(c Config) ([]jwtKey, error) {
	publics, err := readPublicKeys(c)
	if err != nil {
		return nil, err
	}
	var keys []jwtKey
	for i, public := range publics {
		algorithm := jwtNames[algorithmOf(public)]
		if !slices.Contains(c.Algorithms, algorithm) {
			return nil, faulty("keys."+strconv.Itoa(i), "is no key for %s", strings.Join(c.Algorithms, " or "))
		}
		keys = append(keys, jwtKey{algorithm: algorithm, public: public})
	}
	return keys, nil
}

func (j *jwt) verify(r Request, now time.Time) *Failure {
	value, failure := j.spot.read(r)
	if failure != nil {
		return failure
	}
	value, ok := j.schemes.strip(value)
	if !ok {
		return failed(ReasonMalformed, "%s does not begin with %s", j.spot, j.schemes)
	}
	payload, failure := j.open(value)
	if failure != nil {
		return failure
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return failed(ReasonMalformed, "claims are no JSON object")
	}
	if failure := j.checkTime(c, now); failure != nil {
		return failure
	}
	return j.checkClaims(c, r)
}

// open returns the payload of a genuine token.
func (j *jwt) open(text string) ([]byte, *Failure) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, failed(ReasonMalformed, "%s holds no token of three parts", j.spot)
	}
	var head struct {
		Algorithm string          `json:"alg"`
		Critical  json.RawMessage `json:"crit"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(raw, &head) != nil {
		return nil, failed(ReasonMalformed, "the head of the token cannot be read")
	}
	if head.Critical != nil {
		return nil, failed(ReasonMalformed, "the token asks for extensions (crit)")
	}
	if !j.genuine(head.Algorithm, parts[0]+"."+parts[1], parts[2]) {
		return nil, failed(ReasonMismatch, "no key has signed the token with an allowed algorithm")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, failed(ReasonMalformed, "the claims cannot be read")
	}
	return payload, nil
}

func (j *jwt) genuine(algorithm, text, signature string) bool {
	found := false
	for _, key := range j.keys {
		found = key.algorithm == algorithm && key.verify(text, signature) || found
	}
	return found
}

func (k jwtKey) verify(text, signature string) bool {
	if k.public != nil {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(signature)
		return err == nil && verifyWith(k.public, []byte(text), raw)
	}
	h := hmac.New(sha256.New, k.secret)
	_, _ = h.Write([]byte(text))
	expected := base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	return subtle.ConstantTimeCompare([]byte(expected), []byte(signature)) == 1
}
