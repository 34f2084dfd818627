// Package signature finds out who sent a webhook, before anybody reads what it
// says: the step between handlers and mapping. One table-driven verifier covers
// the schemes of the CRMs (HMAC, plain digest, token, Basic, JWT, public key);
// what differs between them is configuration. It imports nothing of ours.
package signature

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is a webhook as it came in. The body is checked byte for byte, so it
// must not have been decoded and encoded again.
type Request struct {
	Method string
	// URI is the path and query as received, http.Request.RequestURI. Host
	// and scheme of an absolute one are ignored when verifying: behind a
	// proxy only the configuration knows what the sender called.
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

// check is one way to tell who sent a request.
type check interface {
	verify(r Request, now time.Time) *Failure
}

type namedCheck struct {
	kind string
	check
}

// New compiles configs, all of which a request must satisfy. publicURL is the
// address under which senders reach this process; a config's url.public_base
// goes before it. Nothing is assumed open: an empty list is an error. The error
// joins one *ConfigError for every config that is wrong.
func New(configs []Config, publicURL string) (*Verifier, error) {
	if len(configs) == 0 {
		return nil, faulty("", "no verifier; to accept anybody, write kind none and a reason")
	}
	v := &Verifier{}
	var faults []error
	for i, c := range configs {
		compiled, err := compile(c, publicURL)
		switch {
		case err != nil:
			faults = append(faults, under(strconv.Itoa(i), err))
		case c.Kind == "none" && len(configs) > 1:
			faults = append(faults, faulty(strconv.Itoa(i)+".kind", "none must stand alone"))
		}
		v.checks = append(v.checks, compiled)
		v.unverified = c.Reason
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return v, nil
}

// Verify returns nil if r satisfies every config, else a *Failure that says
// which check failed and why. A Verifier that New has not made refuses all.
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

// Unverified returns the reason that a config of kind none gives, and "" for a
// verifier that checks something.
func (v *Verifier) Unverified() string { return v.unverified }

func (c namedCheck) run(r Request, now time.Time) *Failure {
	failure := c.verify(r, now)
	if failure != nil && failure.Kind == "" {
		failure.Kind = c.kind
	}
	return failure
}

// anyOf is satisfied by one of its checks.
type anyOf []namedCheck

// progress orders reasons by how far a request came.
var progress = []Reason{
	ReasonMissing, ReasonMalformed, ReasonUncovered, ReasonMismatch, ReasonClaim, ReasonStale,
}

// verify reports every alternative's failure, and the reason of the one that
// came farthest: a stale v3 signature says more than an absent v1.
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
	return failed(reason, "%s", strings.Join(texts, "; "))
}

// open lets everybody in; its config had to say why.
type open struct{}

func newOpen(c Config, _ string) (check, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return nil, faulty("reason", "missing; kind none must say why anybody may send")
	}
	return open{}, nil
}

func (open) verify(Request, time.Time) *Failure { return nil }
