// Package connect connects to a remote NATS with its credentials, and explains in one
// sentence why it cannot. It belongs to package bus; of this module it imports only
// bus/role.
package connect

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
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
}

// Auth holds the credentials for a remote NATS. Empty fields are not used.
type Auth struct {
	// CredsFile is a .creds file (JWT and seed).
	CredsFile string
	// NKeySeedFile holds an nkey seed.
	NKeySeedFile string
	// User and Password authenticate by name.
	User, Password string
	// Token authenticates by token; TokenFile holds it and is read at each connect.
	Token, TokenFile string
	// CAFile is the authority of the server's certificate, CertFile and KeyFile are
	// the client's certificate and its key.
	CAFile, CertFile, KeyFile string
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

// Remote connects to a remote server. Its errors are one line that says what to do.
func Remote(config Config, options ...nats.Option) (*nats.Conn, error) {
	options, err := config.Auth.options(options)
	if err != nil {
		return nil, err
	}
	conn, err := nats.Connect(config.URL, append(options, nats.CustomInboxPrefix(config.inbox()))...)
	var invalid *url.Error
	switch {
	case err == nil:
		return conn, nil
	case errors.As(err, &invalid):
		// Without the cause, which quotes a part of the URL: it may be the password.
		return nil, errors.New("NATS_URL cannot be read: write nats://host:4222, and the password in NATS_PASSWORD or with its special characters encoded (%2F for /)")
	case isUnauthorized(err):
		return nil, fmt.Errorf("NATS refuses our credentials: %w; set NATS_CREDS, NATS_NKEY_SEED_FILE, NATS_USER and NATS_PASSWORD, or NATS_TOKEN to what the server knows; for the embedded NATS of callbridge serve, set NATS_STORE_DIR to its directory", err)
	}
	if isTLS(err) {
		return nil, fmt.Errorf("NATS_URL cannot be reached: %w; set NATS_TLS_CA to the authority of the server's certificate, and NATS_TLS_CERT and NATS_TLS_KEY if it wants one of us", err)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
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

func (a Auth) options(options []nats.Option) ([]nats.Option, error) {
	if a.CredsFile != "" {
		options = append(options, nats.UserCredentials(a.CredsFile))
	}
	if a.NKeySeedFile != "" {
		key, err := nats.NkeyOptionFromSeed(a.NKeySeedFile)
		if err != nil {
			return nil, fmt.Errorf("read NATS_NKEY_SEED_FILE: %w", err)
		}
		options = append(options, key)
	}
	if a.User != "" {
		options = append(options, nats.UserInfo(a.User, a.Password))
	}
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	if token != nil {
		options = append(options, nats.TokenHandler(token))
	}
	if a.CAFile != "" {
		options = append(options, nats.RootCAs(a.CAFile))
	}
	if (a.CertFile == "") != (a.KeyFile == "") {
		return nil, fmt.Errorf("NATS_TLS_CERT and NATS_TLS_KEY go together: set both or none")
	}
	if a.CertFile != "" {
		options = append(options, nats.ClientCert(a.CertFile, a.KeyFile))
	}
	return options, nil
}

// token returns a function that reads the token at each connect, or nil.
func (a Auth) token() (nats.AuthTokenHandler, error) {
	if a.TokenFile == "" {
		if a.Token == "" {
			return nil, nil
		}
		return func() string { return a.Token }, nil
	}
	if _, err := os.ReadFile(a.TokenFile); err != nil {
		return nil, fmt.Errorf("read NATS_TOKEN_FILE: %w", err)
	}
	return func() string {
		content, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return "" // the server refuses it, and the client tries again
		}
		return strings.TrimSpace(string(content))
	}, nil
}
