package signature

import (
	"errors"
	"fmt"
	"strings"
)

// Reason says in one fixed word why a request was refused; metrics count by it.
type Reason string

const (
	// ReasonMissing: what should prove the sender is not there.
	ReasonMissing Reason = "missing"
	// ReasonMalformed: it is there, but not in the shape the config says.
	ReasonMalformed Reason = "malformed"
	// ReasonUncovered: the request has a body that its signature does not
	// speak for.
	ReasonUncovered Reason = "uncovered"
	// ReasonMismatch: no signature, token or password is the right one.
	ReasonMismatch Reason = "mismatch"
	// ReasonClaim: a genuine JWT that is not meant for us or for this body.
	ReasonClaim Reason = "claim"
	// ReasonStale: genuine, but outside the time window.
	ReasonStale Reason = "stale"
)

// Failure is why a request is not genuine. Its text is for the operator's log:
// it names headers and checks, never what stood in them, an expected MAC or a
// key. Senders get no more than a 401.
type Failure struct {
	// Kind is that of the config that failed, "any_of" for alternatives.
	Kind   string
	Reason Reason
	// Detail says which header, field or time is concerned.
	Detail string
}

// Error returns "kind: detail", for example "hmac: header X-Signature is missing".
func (f *Failure) Error() string { return f.Kind + ": " + f.Detail }

func failed(reason Reason, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// ConfigError is a fault in one verifier's configuration.
type ConfigError struct {
	// Key is the dotted path from the list of verifiers to the YAML node:
	// "0.timestamp.tolerance", "1.any_of.0.keys.1". Empty for the list.
	Key string
	// Text says what is wrong with it, never a value that may be secret.
	Text string
}

// Error returns "key: text" with the key under verify, as in the file.
func (e *ConfigError) Error() string {
	return strings.TrimSuffix("verify."+e.Key, ".") + ": " + e.Text
}

func faulty(key, format string, args ...any) error {
	return &ConfigError{Key: key, Text: fmt.Sprintf(format, args...)}
}

// under puts the place of a config in front of the key of its faults.
func under(place string, err error) error {
	var fault *ConfigError
	if !errors.As(err, &fault) {
		return err
	}
	return &ConfigError{Key: strings.TrimSuffix(place+"."+fault.Key, "."), Text: fault.Text}
}
