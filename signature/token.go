package signature

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// token is a shared secret that the sender repeats in every request.
type token struct {
	spot    spot
	schemes schemes
	// accepted are hashes, so that comparing takes the same time whatever
	// the length of the token.
	accepted [][sha256.Size]byte
}

func newToken(c Config, _ string) (check, error) {
	place, err := newSpot(c.Header, c.Query, c.BodyPath)
	if err != nil {
		return nil, err
	}
	if err := checkSecrets("values", c.Values); err != nil {
		return nil, err
	}
	if len(c.Scheme) > 0 && len(c.Header) == 0 {
		return nil, faulty("scheme", "only a header has one")
	}
	t := &token{spot: place, schemes: schemes(c.Scheme)}
	for _, value := range c.Values {
		t.accept(value)
	}
	return t, nil
}

// newBasic makes the token that HTTP Basic comes down to (RFC 7617): the only
// right header values are known beforehand, so nothing needs to be decoded.
func newBasic(c Config, _ string) (check, error) {
	if c.User == "" || strings.Contains(c.User, ":") {
		return nil, faulty("user", "is empty or holds a colon")
	}
	if err := checkSecrets("passwords", c.Passwords); err != nil {
		return nil, err
	}
	t := &token{spot: headerSpot("Authorization"), schemes: []string{"Basic"}}
	for _, password := range c.Passwords {
		t.accept(base64.StdEncoding.EncodeToString([]byte(c.User + ":" + password)))
	}
	return t, nil
}

func (t *token) accept(value string) {
	t.accepted = append(t.accepted, sha256.Sum256([]byte(value)))
}

func (t *token) verify(r Request, _ time.Time) *Failure {
	value, failure := t.spot.read(r)
	if failure != nil {
		return failure
	}
	value, ok := t.schemes.strip(value)
	if !ok {
		return failed(ReasonMalformed, "%s does not begin with %s", t.spot, t.schemes)
	}
	given := sha256.Sum256([]byte(value))
	match := 0
	for _, accepted := range t.accepted {
		match |= subtle.ConstantTimeCompare(given[:], accepted[:])
	}
	if match == 0 {
		return failed(ReasonMismatch, "%s does not match", t.spot)
	}
	return nil
}

// schemes are the authentication schemes that may stand before a credential
// (RFC 9110 §11.4); none of them, or "", is the bare credential.
type schemes []string

// String names the schemes for people.
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
