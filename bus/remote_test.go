package bus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus"
	"callbridge/bus/bustest"
)

// remote is a server of its own with the given configuration, and a Config
// that knows its address.
func remote(t *testing.T, text string) (*server.Server, bus.Config) {
	t.Helper()
	options := &server.Options{}
	if err := options.ProcessConfigString("listen: \"127.0.0.1:-1\"\n" + text); err != nil {
		t.Fatal(err)
	}
	options.JetStream, options.StoreDir = true, t.TempDir()
	s := bustest.Server(t, options)
	config := embedded(t)
	config.URL = s.ClientURL()
	return s, config
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// works opens a bus, takes one request through it, and closes it.
func works(t *testing.T, config bus.Config) {
	t.Helper()
	b := open(t, config)
	if err := b.Publish(t.Context(), message(t, b, "lead-1"))[0]; err != nil {
		t.Errorf("publish: %v", err)
	}
}

// refused opens a bus that must not open, and wants one line that holds no
// secret.
func refused(t *testing.T, config bus.Config, want string) {
	t.Helper()
	b, err := bus.Open(t.Context(), config)
	if err == nil {
		b.Close()
		t.Fatal("opened")
	}
	if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "secret") || strings.Contains(text, "\n") {
		t.Errorf("error %q; want one line with %q", err, want)
	}
}

const refusesUs = "NATS refuses our credentials"

func TestUserAndPassword(t *testing.T) {
	t.Parallel()
	_, config := remote(t, `authorization: {user: bridge, password: secret}`)
	refused(t, config, refusesUs)
	config.Auth.User, config.Auth.Password = "bridge", "another-secret"
	refused(t, config, refusesUs)
	config.Auth.Password = "secret"
	works(t, config)
}

func TestToken(t *testing.T) {
	t.Parallel()
	_, config := remote(t, `authorization: {token: secret}`)
	config.Auth.Token = "another-secret"
	refused(t, config, refusesUs)
	config.Auth.Token = "secret"
	works(t, config)
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	_, config := remote(t, `authorization: {token: secret}`)
	config.Auth.TokenFile = filepath.Join(t.TempDir(), "nowhere")
	refused(t, config, "read NATS_TOKEN_FILE")
	config.Auth.TokenFile = file(t, "secret\n")
	works(t, config)
}

func TestURLWithAPasswordStaysOutOfErrors(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.URL = "nats://bridge:secret@127.0.0.1:port"
	refused(t, config, "NATS_URL cannot be read")
}

func TestFirstOfSeveralServersIsDead(t *testing.T) {
	t.Parallel()
	dead, _ := remote(t, "")
	deadURL := dead.ClientURL()
	dead.Shutdown()
	dead.WaitForShutdown()
	_, config := remote(t, "")
	config.URL = deadURL + "," + config.URL
	works(t, config)
}

func TestDomain(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "jetstream: {domain: hub}")
	config.Domain = "edge"
	refused(t, config, "NATS_DOMAIN")
	config.Domain = "hub"
	works(t, config)
}
