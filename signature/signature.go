// Package signature verifies the sender of a webhook: mapping calls it before it
// parses the body. A source's `verify` key selects and
// configures the check: hmac, digest, publickey, token, basic, jwt or none.
//
// A new kind needs: an entry of the table kinds and its name in the error text below
// it (signature.go), a type that implements check, the key of its secrets in
// Config.WithSecrets (config.go), what it signs in coverageOf (coverage.go), its
// words in proof (mapping/config/facts.go) and, if that key has a new name,
// isSecretKey (mapping/config/secret.go). A new way to write signatures into a header
// is a format (extract.go); a new placeholder of the signed text is in template.go.
// Of this module it imports signature/scan alone.
package signature

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is a webhook as received. Body holds the received bytes: signatures
// cover bytes, so a decoded and encoded copy would not verify.
type Request struct {
	Method string
	// URI is http.Request.RequestURI, the path and query as received. Verify
	// ignores scheme and host of an absolute URI: a proxy changes them, and only
	// the configuration knows the URL that the sender called.
	URI    string
	Header http.Header
	Body   []byte
}

// Verifier checks requests against one source's configuration. It is safe for
// concurrent use.
type Verifier struct {
	checks     []namedCheck
	unverified string
}

// check is one way to verify the sender of a request.
type check interface {
	verify(r Request, now time.Time) *Failure
}

type namedCheck struct {
	kind string
	check
}

// New compiles configs, all of which a request must satisfy. publicURL is the URL
// at which senders reach this process; a config's url.public_base takes
// precedence. An empty list is an error, because it would accept every request.
// The error joins one *ConfigError for each invalid config.
func New(configs []Config, publicURL string) (*Verifier, error) {
	if len(configs) == 0 {
		return nil, configErrorf("", "missing; to accept unverified requests, set kind none and a reason")
	}
	v := &Verifier{}
	var errs []error
	for i, c := range configs {
		compiled, err := compile(c, publicURL)
		switch {
		case err != nil:
			errs = append(errs, prefixKey(strconv.Itoa(i), err))
		case c.Kind == "none" && len(configs) > 1:
			errs = append(errs, configErrorf(strconv.Itoa(i)+".kind", "none cannot be combined with other verifiers"))
		}
		v.checks = append(v.checks, compiled)
		v.unverified = c.Reason
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return v, nil
}

// Verify returns nil if r satisfies every config, else a *Failure that names the
// failed check and the reason. The zero Verifier refuses every request.
func (v *Verifier) Verify(r Request, now time.Time) error {
	if len(v.checks) == 0 {
		return &Failure{Kind: "none", Reason: ReasonMissing, Detail: "there is no verifier"}
	}
	for _, c := range v.checks {
		if failure := c.run(r, now); failure != nil {
			return failure
		}
	}
	return nil
}

// Unverified returns the configured reason of kind none, and "" for all other
// kinds.
func (v *Verifier) Unverified() string { return v.unverified }

func (c namedCheck) run(r Request, now time.Time) *Failure {
	failure := c.verify(r, now)
	if failure != nil && failure.Kind == "" {
		failure.Kind = c.kind
	}
	return failure
}

// kinds lists, for each kind, the keys that it accepts and the function that
// builds its check.
var kinds = map[string]struct {
	keys  []string
	build func(c Config, publicURL string) (check, error)
}{
	"hmac":      {keys: slices.Concat(signedKeys, []string{"hash"}), build: newHMAC},
	"digest":    {keys: slices.Concat(signedKeys, []string{"hash"}), build: newDigest},
	"publickey": {keys: slices.Concat(signedKeys, []string{"alg"}), build: newPublicKey},
	"token":     {keys: []string{"header", "query", "body_path", "scheme", "values"}, build: newToken},
	"basic":     {keys: []string{"user", "passwords"}, build: newBasic},
	"jwt": {keys: []string{"header", "scheme", "alg", "keys", "key_encoding", "aud", "iss", "leeway",
		"body_hash_claim", "encoding"}, build: newJWT},
	"none": {keys: []string{"reason"}, build: newAllowAll},
}

var signedKeys = []string{
	"keys", "key_encoding", "allow_short", "header", "query", "body_path", "format", "prefix", "separator",
	"field", "encoding", "timestamp", "id", "signed", "url", "allow_unsigned_body",
}

func compile(c Config, publicURL string) (namedCheck, error) {
	if len(c.AnyOf) > 0 {
		return compileAnyOf(c, publicURL)
	}
	kind, ok := kinds[c.Kind]
	if !ok {
		return namedCheck{}, configErrorf("kind", "%q is unknown; hmac, digest, publickey, token, basic, jwt or none", c.Kind)
	}
	for _, key := range c.setKeys() {
		if key != "kind" && !slices.Contains(kind.keys, key) {
			return namedCheck{}, configErrorf(key, "is not allowed with kind %s", c.Kind)
		}
	}
	built, err := kind.build(c, publicURL)
	return namedCheck{kind: c.Kind, check: built}, err
}

func compileAnyOf(c Config, publicURL string) (namedCheck, error) {
	if keys := c.setKeys(); len(keys) > 1 {
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == "any_of" })
		return namedCheck{}, configErrorf(keys[0], "cannot be combined with any_of")
	}
	var alternatives anyOf
	for i, alternative := range c.AnyOf {
		key := "any_of." + strconv.Itoa(i)
		if alternative.Kind == "none" {
			return namedCheck{}, configErrorf(key+".kind", "none cannot be an alternative: it accepts every request")
		}
		compiled, err := compile(alternative, publicURL)
		if err != nil {
			return namedCheck{}, prefixKey(key, err)
		}
		alternatives = append(alternatives, compiled)
	}
	return namedCheck{kind: "any_of", check: alternatives}, nil
}

// anyOf accepts a request that one of its checks accepts.
type anyOf []namedCheck

// progress orders reasons by how many steps of the verification passed.
var progress = []Reason{
	ReasonMissing, ReasonMalformed, ReasonUncovered, ReasonMismatch, ReasonClaim, ReasonStale,
}

// verify reports the failures of all alternatives, and the reason of the one that
// passed the most steps: a stale v3 signature is more informative than a missing
// v1.
func (a anyOf) verify(r Request, now time.Time) *Failure {
	var texts []string
	reason := ReasonMissing
	for _, c := range a {
		failure := c.run(r, now)
		if failure == nil {
			return nil
		}
		texts = append(texts, failure.Error())
		if slices.Index(progress, failure.Reason) > slices.Index(progress, reason) {
			reason = failure.Reason
		}
	}
	return failuref(reason, "%s", strings.Join(texts, "; "))
}

// allowAll accepts every request. Its config has to give a reason.
type allowAll struct{}

func newAllowAll(c Config, _ string) (check, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return nil, configErrorf("reason", "missing; kind none needs a reason")
	}
	return allowAll{}, nil
}

func (allowAll) verify(Request, time.Time) *Failure { return nil }

// Reason is why a request was refused: one of a fixed set, used in logs.
type Reason string

const (
	// ReasonMissing: the signature or token is absent.
	ReasonMissing Reason = "missing"
	// ReasonMalformed: it is present, but not in the configured format.
	ReasonMalformed Reason = "malformed"
	// ReasonUncovered: the request has a body that its signature does not
	// cover.
	ReasonUncovered Reason = "uncovered"
	// ReasonMismatch: no signature, token or password matches.
	ReasonMismatch Reason = "mismatch"
	// ReasonClaim: a JWT with a valid signature for another audience, issuer or
	// body.
	ReasonClaim Reason = "claim"
	// ReasonStale: the signature is valid, but outside the time window.
	ReasonStale Reason = "stale"
)

// Failure is why a request was refused. Its text is for the operator's log: it
// names headers and checks, never a header's value, an expected MAC or a key. The
// sender's answer is only a 401.
type Failure struct {
	// Kind is the kind of the failed check, "any_of" for alternatives.
	Kind   string
	Reason Reason
	// Detail names the header, field or time that failed.
	Detail string
}

// Error returns "kind: detail", for example "hmac: header X-Signature is missing".
func (f *Failure) Error() string { return f.Kind + ": " + f.Detail }

func failuref(reason Reason, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
