package signature

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// token is a check of kind token or basic: a shared secret that the sender puts
// into each request.
type token struct {
	location location
	schemes  schemes
	// accepted are the SHA-256 of the tokens, so that the time of a comparison
	// does not depend on the token's length.
	accepted [][sha256.Size]byte
}

func newToken(c Config, _ string) (check, error) {
	l, err := newLocation(c.Header, c.Query, c.BodyPath)
	if err != nil {
		return nil, err
	}
	if err := checkSecrets("values", c.Values); err != nil {
		return nil, err
	}
	if len(c.Scheme) > 0 && len(c.Header) == 0 {
		return nil, configErrorf("scheme", "is only allowed with header")
	}
	t := &token{location: l, schemes: schemes(c.Scheme)}
	for _, value := range c.Values {
		t.accept(value)
	}
	return t, nil
}

// newBasic returns HTTP Basic (RFC 7617) as a token check: the valid header values
// are known in advance, so nothing has to be decoded.
func newBasic(c Config, _ string) (check, error) {
	if c.User == "" || strings.Contains(c.User, ":") {
		return nil, configErrorf("user", "is empty or contains a colon")
	}
	if err := checkSecrets("passwords", c.Passwords); err != nil {
		return nil, err
	}
	t := &token{location: headerLocation("Authorization"), schemes: []string{"Basic"}}
	for _, password := range c.Passwords {
		t.accept(base64.StdEncoding.EncodeToString([]byte(c.User + ":" + password)))
	}
	return t, nil
}

func (t *token) accept(value string) {
	t.accepted = append(t.accepted, sha256.Sum256([]byte(value)))
}

func (t *token) verify(r Request, _ time.Time) *Failure {
	value, failure := t.location.read(r)
	if failure != nil {
		return failure
	}
	value, ok := t.schemes.strip(value)
	if !ok {
		return failuref(ReasonMalformed, "%s does not begin with %s", t.location, t.schemes)
	}
	received := sha256.Sum256([]byte(value))
	match := 0
	for _, accepted := range t.accepted {
		match |= subtle.ConstantTimeCompare(received[:], accepted[:])
	}
	if match == 0 {
		return failuref(ReasonMismatch, "%s does not match", t.location)
	}
	return nil
}

// schemes are the authentication schemes that may precede a credential (RFC 9110
// §11.4). An empty list, or an element "", allows the bare credential.
type schemes []string

// String returns the schemes as error texts show them.
func (s schemes) String() string { return strings.Join(s, " or ") }

func (s schemes) strip(value string) (string, bool) {
	name, credential, found := strings.Cut(value, " ")
	for _, scheme := range s {
		if found && scheme != "" && strings.EqualFold(name, scheme) {
			return strings.TrimLeft(credential, " "), true
		}
	}
	return value, len(s) == 0 || slices.Contains(s, "")
}

// jwt is a check of kind jwt: a signed token (RFC 7519) in a header, for example
// from monday.
type jwt struct {
	location  location
	schemes   schemes
	keys      []jwtKey
	audience  []string
	issuer    []string
	leeway    time.Duration
	bodyClaim string
	encoding  encoding
}

// jwtKey is a key and its only algorithm, so that a token cannot select "none" or
// have a public key used as an HMAC secret (RFC 8725 §3.1).
type jwtKey struct {
	algorithm string
	secret    []byte
	public    crypto.PublicKey
}

// jwtNames maps the algorithm of a public key to its JOSE name.
var jwtNames = map[string]string{"ed25519": "EdDSA", "rsa-pkcs1-sha256": "RS256"}

func newJWT(c Config, _ string) (check, error) {
	l, err := newHeaderLocation(c.Header)
	if err != nil {
		return nil, err
	}
	j := &jwt{
		location: l, schemes: schemes(c.Scheme), audience: c.Audience, issuer: c.Issuer,
		leeway: c.Leeway, bodyClaim: c.BodyHashClaim, encoding: encoding(c.Encoding),
	}
	switch {
	case c.Leeway < 0:
		return nil, configErrorf("leeway", "is negative")
	case slices.Contains(c.Audience, ""):
		return nil, configErrorf("aud", "is empty")
	case slices.Contains(c.Issuer, ""):
		return nil, configErrorf("iss", "is empty")
	case (c.BodyHashClaim == "") != (c.Encoding == ""):
		return nil, configErrorf("body_hash_claim", "must be set together with encoding, the encoding of the hash")
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
		return nil, configErrorf("alg", "missing; one or more of HS256, RS256, EdDSA")
	}
	if !slices.Contains(c.Algorithms, "HS256") {
		return publicJWTKeys(c)
	}
	if len(c.Algorithms) > 1 {
		return nil, configErrorf("alg", "HS256 cannot be combined with others: its keys are secret, theirs are public")
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
	publics, err := parsePublicKeys(c)
	if err != nil {
		return nil, err
	}
	var keys []jwtKey
	for i, public := range publics {
		algorithm := jwtNames[algorithmOf(public)]
		if !slices.Contains(c.Algorithms, algorithm) {
			return nil, configErrorf("keys."+strconv.Itoa(i), "is not a key for %s", strings.Join(c.Algorithms, " or "))
		}
		keys = append(keys, jwtKey{algorithm: algorithm, public: public})
	}
	return keys, nil
}

func (j *jwt) verify(r Request, now time.Time) *Failure {
	value, failure := j.location.read(r)
	if failure != nil {
		return failure
	}
	value, ok := j.schemes.strip(value)
	if !ok {
		return failuref(ReasonMalformed, "%s does not begin with %s", j.location, j.schemes)
	}
	payload, failure := j.verifiedPayload(value)
	if failure != nil {
		return failure
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return failuref(ReasonMalformed, "claims are not a JSON object")
	}
	if failure := j.checkTime(c, now); failure != nil {
		return failure
	}
	return j.checkClaims(c, r)
}

// verifiedPayload verifies the token's signature and returns its payload.
func (j *jwt) verifiedPayload(text string) ([]byte, *Failure) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, failuref(ReasonMalformed, "%s does not contain a token of three parts", j.location)
	}
	var head struct {
		Algorithm string          `json:"alg"`
		Critical  json.RawMessage `json:"crit"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(raw, &head) != nil {
		return nil, failuref(ReasonMalformed, "the header of the token cannot be parsed")
	}
	if head.Critical != nil {
		return nil, failuref(ReasonMalformed, "the token requires extensions (crit)")
	}
	if !j.genuine(head.Algorithm, parts[0]+"."+parts[1], parts[2]) {
		return nil, failuref(ReasonMismatch, "no key and allowed algorithm verify the token's signature")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, failuref(ReasonMalformed, "the claims cannot be decoded")
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

// claims are the claims of a token. It is a map because names have to match
// exactly, and encoding/json ignores case for structs.
type claims map[string]json.RawMessage

// time parses a NumericDate (RFC 7519 §2): seconds, possibly with a fraction. The
// time is zero if the claim is absent.
func (c claims) time(name string) (time.Time, bool) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, true
	}
	var seconds float64
	// Numbers beyond the year 30000 would overflow.
	if json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > 1e12 || string(raw) == "null" {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// texts returns a claim that is a string or a list of strings, as aud may be.
func (c claims) texts(name string) []string {
	var one string
	if json.Unmarshal(c[name], &one) == nil {
		return []string{one}
	}
	var many []string
	_ = json.Unmarshal(c[name], &many)
	return many
}

func (j *jwt) checkTime(c claims, now time.Time) *Failure {
	expires, ok := c.time("exp")
	begins, ok2 := c.time("nbf")
	switch {
	case !ok || !ok2:
		return failuref(ReasonMalformed, "exp or nbf is not a time")
	case expires.IsZero() && j.bodyClaim == "":
		return failuref(ReasonClaim, "the token has no exp")
	case !expires.IsZero() && now.Sub(expires) >= j.leeway:
		return failuref(ReasonStale, "token expired %s ago, leeway %s", now.Sub(expires).Round(time.Second), j.leeway)
	case !begins.IsZero() && begins.Sub(now) > j.leeway:
		return failuref(ReasonStale, "token begins in %s, leeway %s", begins.Sub(now).Round(time.Second), j.leeway)
	}
	return nil
}

func (j *jwt) checkClaims(c claims, r Request) *Failure {
	if len(j.audience) > 0 && !overlap(j.audience, c.texts("aud")) {
		return failuref(ReasonClaim, "aud is not one of those configured")
	}
	if len(j.issuer) > 0 && !overlap(j.issuer, c.texts("iss")) {
		return failuref(ReasonClaim, "iss is not one of those configured")
	}
	if j.bodyClaim == "" {
		return nil
	}
	sum := sha256.Sum256(r.Body)
	expected := j.encoding.append(nil, sum[:])
	for _, received := range c.texts(j.bodyClaim) {
		if j.encoding.equal(expected, []byte(received)) {
			return nil
		}
	}
	return failuref(ReasonClaim, "%s is not the hash of the body", j.bodyClaim)
}

func overlap(ours, theirs []string) bool {
	return slices.ContainsFunc(theirs, func(text string) bool { return slices.Contains(ours, text) })
}
