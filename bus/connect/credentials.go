package connect

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"callbridge/credential"
)

// Auth holds the credentials for a remote NATS. Empty fields are not used. Files are
// read at each connect.
type Auth struct {
	// CredsFile is a .creds file (JWT and seed).
	CredsFile string
	// NKeySeedFile holds an nkey seed.
	NKeySeedFile string
	// User and Password authenticate by name. PasswordFile holds the password, or two
	// on a line each: if the server refuses one, the other is tried.
	User, Password, PasswordFile string
	// Token authenticates by token; TokenFile holds it.
	Token, TokenFile string
	// CAFile is the authority of the server's certificate, CertFile and KeyFile are
	// the client's certificate and its key.
	CAFile, CertFile, KeyFile string
}

// kind names the credentials.
func (a Auth) kind() string {
	switch {
	case a.CredsFile != "":
		return "our credentials in NATS_CREDS"
	case a.NKeySeedFile != "":
		return "our key in NATS_NKEY_SEED_FILE"
	case a.User != "":
		return "our password"
	case a.Token != "" || a.TokenFile != "":
		return "our token"
	}
	return "a connection without credentials"
}

// maxPasswords in a file: the new one and the old one.
const maxPasswords = 2

// checkPasswords checks the content of a file with one or two passwords.
func checkPasswords(content string) error {
	if n := len(passwordLines(content)); n > maxPasswords {
		return fmt.Errorf("it has %d lines: write one password, or during a rotation the new one and the old one on a line each", n)
	}
	return nil
}

func passwordLines(content string) []string {
	lines := strings.FieldsFunc(content, func(r rune) bool { return r == '\n' || r == '\r' })
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
}

// credentials gives the client the credentials at each connect. The client calls its
// functions while its connection is locked.
type credentials struct {
	auth Auth
	// password and token are nil if they are not in a file.
	password, token *credential.Secret

	mu sync.Mutex
	// tries counts the passwords offered since the last connect that succeeded.
	tries int
	// offered is the newest one, accepted the one that the server accepted last.
	offered, accepted string
	// conn is nil before the first connect.
	conn atomic.Pointer[nats.Conn]
}

func newCredentials(a Auth, log *slog.Logger) (*credentials, error) {
	if (a.CertFile == "") != (a.KeyFile == "") {
		return nil, errors.New("NATS_TLS_CERT and NATS_TLS_KEY go together: set both or none")
	}
	if a.PasswordFile != "" && a.User == "" {
		return nil, errors.New("NATS_PASSWORD_FILE needs NATS_USER: set the user whose password it has")
	}
	c := &credentials{auth: a}
	var err error
	if a.PasswordFile != "" {
		if c.password, err = credential.New("NATS_PASSWORD", "", a.PasswordFile, checkPasswords, log); err != nil {
			return nil, err
		}
	}
	if a.TokenFile != "" {
		if c.token, err = credential.New("NATS_TOKEN", "", a.TokenFile, nil, log); err != nil {
			return nil, err
		}
	}
	_, err = c.options()
	return c, err
}

// options are those of the client. An error names the file that cannot be read.
func (c *credentials) options() ([]nats.Option, error) {
	a := c.auth
	named := map[string]nats.Option{}
	if a.CredsFile != "" {
		named["NATS_CREDS"] = credsFile(a.CredsFile)
	}
	if a.NKeySeedFile != "" {
		named["NATS_NKEY_SEED_FILE"] = c.nkey
	}
	if a.User != "" {
		named["NATS_USER"] = nats.UserInfoHandler(c.user)
	}
	if a.Token != "" || a.TokenFile != "" {
		named["NATS_TOKEN"] = nats.TokenHandler(c.currentToken)
	}
	if a.CAFile != "" {
		named["NATS_TLS_CA"] = nats.RootCAs(a.CAFile)
	}
	if a.CertFile != "" {
		named["NATS_TLS_CERT and NATS_TLS_KEY"] = nats.ClientCert(a.CertFile, a.KeyFile)
	}
	var all []nats.Option
	for name, option := range named {
		if err := option(&nats.Options{}); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, option)
	}
	return all, nil
}

// credsFile is nats.UserCredentials, which reads the file at each connect, and an
// error if the file cannot be read now.
func credsFile(name string) nats.Option {
	option := nats.UserCredentials(name)
	return func(o *nats.Options) error {
		if err := option(o); err != nil {
			return err
		}
		if _, err := o.UserJWT(); err != nil {
			return err
		}
		_, err := o.SignatureCB(nil)
		return err
	}
}

// nkey is nats.NkeyOptionFromSeed, which reads the seed at each connect, and notices that
// the file has another key. The client sends the public key that its options have, so
// the new one is used from the next attempt on.
func (c *credentials) nkey(o *nats.Options) error {
	load, err := nats.NkeyOptionFromSeed(c.auth.NKeySeedFile)
	if err != nil {
		return err
	}
	if err := load(o); err != nil {
		return err
	}
	o.SignatureCB = func(nonce []byte) ([]byte, error) {
		load, err := nats.NkeyOptionFromSeed(c.auth.NKeySeedFile)
		if err != nil {
			return nil, fmt.Errorf("read NATS_NKEY_SEED_FILE: %w", err)
		}
		var now nats.Options
		if err := load(&now); err != nil {
			return nil, err
		}
		// The client holds the lock of the connection, which guards its options.
		if conn := c.conn.Load(); conn != nil && conn.Opts.Nkey != now.Nkey {
			conn.Opts.Nkey = now.Nkey
			return nil, errors.New("NATS_NKEY_SEED_FILE has another key now: the next attempt uses it")
		}
		return now.SignatureCB(nonce)
	}
	return nil
}

func (c *credentials) currentToken() string {
	if c.token != nil {
		return c.token.Get()
	}
	return c.auth.Token
}

func (c *credentials) passwords() []string {
	if c.password == nil {
		return []string{c.auth.Password}
	}
	return passwordLines(c.password.Get())
}

// choices is how many different credentials there are to try.
func (c *credentials) choices() int {
	if c.auth.User == "" {
		return 1
	}
	return len(c.passwords())
}

// user returns the user and the password to offer.
func (c *credentials) user() (user, password string) {
	all := c.passwords()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offered = choose(all, c.accepted, c.tries, rand.IntN)
	c.tries++
	return c.auth.User, c.offered
}

// choose returns the password for a try after those before were refused: first the one
// that the server has accepted, or the first one of the file, then the other, then either of
// them at random. In a fixed order, each of two servers would always be offered the same
// one.
func choose(all []string, accepted string, try int, random func(n int) int) string {
	first := max(slices.Index(all, accepted), 0)
	if try >= len(all) {
		try = random(len(all))
	}
	return all[(first+try)%len(all)]
}

// connected notes that the server has accepted what was offered.
func (c *credentials) connected(conn *nats.Conn) {
	c.conn.Store(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries, c.accepted = 0, c.offered
}
