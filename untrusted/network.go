package untrusted

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// NetworkError returns an error whose text is one of a closed set of phrases. The
// errors of net/http quote what the peer sent, which may repeat our credentials, and
// those of net/url quote the address, which may contain a key. errors.Is still finds
// the cause, but nothing can print it: there is no Unwrap.
func NetworkError(err error) error {
	if err == nil {
		return nil
	}
	var known networkError
	if errors.As(err, &known) {
		return known
	}
	return networkError{phrase: phraseOf(err), cause: err}
}

type networkError struct {
	phrase string
	cause  error
}

// Error returns the phrase.
func (e networkError) Error() string { return e.phrase }

// Is reports whether the cause is target.
func (e networkError) Is(target error) bool { return errors.Is(e.cause, target) }

// brokenAnswer is the phrase for errors that are not known: nearly all of them are
// about bytes of the peer that net/http cannot read.
const brokenAnswer = "answer broken"

// phrases are looked up in this order.
var phrases = []struct {
	cause  error
	phrase string
}{
	{context.Canceled, "cancelled"},
	{context.DeadlineExceeded, "timeout"},
	{os.ErrDeadlineExceeded, "timeout"},
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection reset"},
	{syscall.EPIPE, "connection closed"},
	{syscall.ENETUNREACH, "network unreachable"},
	{syscall.EHOSTUNREACH, "host unreachable"},
	{syscall.EMFILE, "too many open files"},
	{net.ErrClosed, "connection closed"},
	{http.ErrSchemeMismatch, "the server does not speak TLS"},
	{io.ErrUnexpectedEOF, "answer cut short"},
	{io.EOF, "connection closed before the answer"},
	{gzip.ErrHeader, brokenAnswer},
}

func phraseOf(err error) string {
	if phrase := certificatePhrase(err); phrase != "" {
		return phrase
	}
	for _, p := range phrases {
		if errors.Is(err, p.cause) {
			return p.phrase
		}
	}
	var name *net.DNSError
	var network net.Error
	var operation *net.OpError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "no such host"
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.As(err, &name):
		return "the name server gave no answer"
	case errors.As(err, &operation) && operation.Op == "dial":
		return "connection failed"
	case unparsable(err):
		return "the address cannot be parsed"
	}
	return brokenAnswer
}

func unparsable(err error) bool {
	var address *url.Error
	return errors.As(err, &address) && address.Op == "parse"
}

// certificatePhrase says why a TLS handshake failed, or nothing.
func certificatePhrase(err error) string {
	var (
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
	)
	switch {
	case errors.As(err, &authority):
		return "certificate not trusted: unknown authority"
	case errors.As(err, &host):
		return "certificate not trusted: it is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate not trusted: it has expired or is not yet valid"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "certificate not trusted"
	case errors.As(err, &record):
		return "the server does not speak TLS"
	case errors.As(err, &alert):
		return "the server refuses the TLS handshake"
	}
	return ""
}
