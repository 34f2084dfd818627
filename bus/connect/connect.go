// Package connect connects to NATS and keeps the connection: it reads the credentials
// at each connect, waits at the start for a server that is not ready, logs when the
// connection is lost and restored, and explains in one sentence why there is none. It
// belongs to package bus; of this module it imports only bus/role and credential.
package connect

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"callbridge/bus/role"
)

// Config selects the server and the credentials.
type Config struct {
	// URL of the server, several separated by commas.
	URL string
	// Prefix of every subject; the prefix of reply subjects follows from it.
	Prefix string
	Auth   Auth
	Log    *slog.Logger
}

// inbox is the prefix of reply subjects. With a prefix of its own, a server can
// allow this client its replies only.
func inbox(prefix string) string { return "_INBOX_" + strings.ReplaceAll(prefix, ".", "_") }

// inbox is the prefix of reply subjects for the user that connects: each role may read
// only its own replies.
func (c Config) inbox() string {
	user := c.Auth.User
	first, _, _ := strings.Cut(c.URL, ",")
	if u, err := url.Parse(first); err == nil && u.User != nil {
		user = u.User.Username()
	}
	if user != role.Bridge && slices.Contains(role.Names, user) {
		return role.Inbox(user)
	}
	return inbox(c.Prefix)
}

// ErrUnreachable: no server answers at the URL. The caller adds where the URL came
// from.
var ErrUnreachable = errors.New("cannot be reached")

// unavailable is an error that may end by itself: the server starts, or its
// credentials are being changed. Only such errors are waited for.
type unavailable struct{ error }

func (u unavailable) Unwrap() error { return u.error }

// Dialer connects to a remote server, with the credentials as they are at that time.
type Dialer struct {
	config      Config
	credentials *credentials
}

// NewDialer reads the credentials. An error is one of the settings.
func NewDialer(config Config) (*Dialer, error) {
	c, err := newCredentials(config.Auth, config.Log)
	if err != nil {
		return nil, err
	}
	return &Dialer{config, c}, nil
}

// Remote connects once. Its errors are one line that says what to do.
func Remote(config Config, options ...nats.Option) (*nats.Conn, error) {
	d, err := NewDialer(config)
	if err != nil {
		return nil, err
	}
	return d.Dial(options...)
}

// Dial connects once, with each of the passwords if the server refuses the first one.
// Its errors are one line that says what to do.
func (d *Dialer) Dial(options ...nats.Option) (conn *nats.Conn, err error) {
	own, err := d.credentials.options()
	if err != nil {
		return nil, err
	}
	options = slices.Concat(options, own, []nats.Option{nats.CustomInboxPrefix(d.config.inbox())})
	for range d.credentials.choices() {
		if conn, err = nats.Connect(d.config.URL, options...); err == nil {
			d.credentials.connected(conn)
			return conn, nil
		}
		if !isUnauthorized(err) {
			break
		}
	}
	return nil, d.explain(err)
}

// explain says in one sentence why there is no connection.
func (d *Dialer) explain(err error) error {
	var invalid *url.Error
	switch {
	case errors.As(err, &invalid):
		// Without the cause, which quotes a part of the URL: it may be the password.
		return errors.New("NATS_URL cannot be read: write nats://host:4222, and the password in NATS_PASSWORD or with its special characters encoded (%2F for /)")
	case isUnauthorized(err):
		return unavailable{fmt.Errorf("NATS refuses %s: %w; set NATS_CREDS, NATS_NKEY_SEED_FILE, NATS_USER and NATS_PASSWORD_FILE, or NATS_TOKEN_FILE to what the server knows; for the embedded NATS of callbridge serve, set NATS_STORE_DIR to its directory", d.Credentials(), err)}
	case isTLS(err):
		return unavailable{fmt.Errorf("NATS_URL cannot be reached: %w; set NATS_TLS_CA to the authority of the server's certificate, and NATS_TLS_CERT and NATS_TLS_KEY if it wants one of us", err)}
	}
	return unavailable{fmt.Errorf("%w: %w", ErrUnreachable, err)}
}

// Credentials names what the server checks, such as "our password".
func (d *Dialer) Credentials() string {
	if strings.Contains(d.config.URL, "@") {
		return "the user or the password in NATS_URL"
	}
	return d.config.Auth.kind()
}

// WithoutUser returns an address without user, password and token.
func WithoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

func isUnauthorized(err error) bool {
	refusals := []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired}
	return slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) })
}

// isTLS reports whether the TLS handshake failed. A server that requires a client
// certificate reports that only after the handshake.
func isTLS(err error) bool {
	var unknown *tls.CertificateVerificationError
	return errors.As(err, &unknown) || strings.Contains(err.Error(), "tls")
}

// PermissionError explains a permission violation; its text names the subject.
func PermissionError(err error) error {
	violation := strings.TrimPrefix(err.Error(), nats.ErrPermissionViolation.Error()+": ")
	return fmt.Errorf("NATS does not let this user work: %s; give it the permissions that docs/nats.md lists", violation)
}
