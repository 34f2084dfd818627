package bus

import (
	"fmt"

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
	// CAFile is the authority of the server's certificate, CertFile and
	// KeyFile are ours.
	CAFile, CertFile, KeyFile string
}

func connectRemote(config Config, options []nats.Option) (*nats.Conn, error) {
	options, err := config.Auth.options(options)
	if err != nil {
		return nil, err
	}
	conn, err := nats.Connect(config.URL, options...)
	if err != nil {
		// The URL may hold a password: it stays out of the text.
		return nil, fmt.Errorf("NATS_URL cannot be reached: %w; start the server, or leave NATS_URL empty for the embedded one", err)
	}
	return conn, nil
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
