package stream

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// errCodeWriteInFlight is the answer of a cluster while another write of the same
// subject is in progress (nats-server, server/errors.json; nats.go has no name for
// it).
const errCodeWriteInFlight jetstream.ErrorCode = 10164

// IsConflict reports whether the server refused a write because its subject, or
// the filter of the message, has another last sequence (10071).
func IsConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// IsContended reports whether the server refused a write because of another writer: it
// has written, or is writing now.
func IsContended(err error) bool {
	var api *jetstream.APIError
	return IsConflict(err) || errors.As(err, &api) && api.ErrorCode == errCodeWriteInFlight
}

// Error codes of JetStream for which nats.go has no names (nats-server,
// server/errors.json).
const (
	errCodeServerFull  jetstream.ErrorCode = 10023
	errCodeAccountFull jetstream.ErrorCode = 10002
)

// WithHint adds what an operator can do about a full JetStream.
func WithHint(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == errCodeServerFull || api.ErrorCode == errCodeAccountFull) {
		return fmt.Errorf("JetStream is full: raise NATS_MAX_STORE, or the limits of the server at NATS_URL: %w", err)
	}
	return err
}
