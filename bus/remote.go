package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
)

// Auth is how to prove ourselves to a remote NATS. What is empty is not used.
type Auth struct {
	// CredsFile is a .creds file (JWT and seed).
	CredsFile string
	// NKeySeedFile holds an nkey seed.
	NKeySeedFile string
	// User and Password, where the server uses them.
	User, Password string
	// Token, or a file that holds it and is read at every connect.
	Token, TokenFile string
	// CAFile is the authority of the server's certificate, CertFile and
	// KeyFile are ours.
	CAFile, CertFile, KeyFile string
}

// inbox is where answers come back to: a name of our own, so that a server can
// allow just that and nobody else reads them.
func inbox(prefix string) string { return "_INBOX_" + strings.ReplaceAll(prefix, ".", "_") }

// ErrUnreachable: nobody answers where NATS is said to be. What to do about it, who asked
// for that place knows.
var ErrUnreachable = errors.New("cannot be reached")

func connectRemote(config Config, options []nats.Option) (*nats.Conn, error) {
	options, err := config.Auth.options(options)
	if err != nil {
		return nil, err
	}
	conn, err := nats.Connect(config.URL, append(options, nats.CustomInboxPrefix(inbox(config.Prefix)))...)
	var unreadable *url.Error
	switch {
	case err == nil:
		return conn, nil
	case errors.As(err, &unreadable):
		// The URL may hold a password: it stays out of the text.
		return nil, fmt.Errorf("NATS_URL cannot be read: %w", unreadable.Err)
	case isUnauthorized(err):
		return nil, fmt.Errorf("NATS refuses our credentials: %w; set NATS_CREDS, NATS_NKEY_SEED_FILE, NATS_USER and NATS_PASSWORD, or NATS_TOKEN to what the server knows", err)
	}
	if isTLS(err) {
		return nil, fmt.Errorf("NATS_URL cannot be reached: %w; set NATS_TLS_CA to the authority of the server's certificate, and NATS_TLS_CERT and NATS_TLS_KEY if it wants one of us", err)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func isUnauthorized(err error) bool {
	for _, refused := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return false
}

// isTLS reports whether there was somebody, who did not like the handshake. A
// server that misses our certificate says so only after its end, and may be gone
// before we have read it.
func isTLS(err error) bool {
	var unknown *tls.CertificateVerificationError
	return errors.As(err, &unknown) || strings.Contains(err.Error(), "tls")
}

// refusal says what a server does not let us do; its text names the subject.
func refusal(err error) error {
	what := strings.TrimPrefix(err.Error(), nats.ErrPermissionViolation.Error()+": ")
	return fmt.Errorf("NATS does not let this user work: %s; give it the permissions that docs/nats.md lists", what)
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

// token gives the newest token at each connect, or is nil where there is none.
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
			return "" // refused, and tried again
		}
		return strings.TrimSpace(string(content))
	}, nil
}
