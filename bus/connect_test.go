package bus_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

func TestOpenErrorsNameTheCause(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	inUse := embedded(t)
	open(t, inUse)
	unused := fmt.Sprint("127.0.0.1:", bustest.Port(t))

	for name, c := range map[string]struct {
		change func(*bus.Config)
		want   string
	}{
		"port in use":        {func(c *bus.Config) { c.Embedded.Listen = taken.Addr().String() }, "address already in use"},
		"store in use":       {func(c *bus.Config) { c.Embedded.Dir = inUse.Embedded.Dir }, "is in use by another callbridge"},
		"open to the world":  {func(c *bus.Config) { c.Embedded.Listen = "0.0.0.0:0" }, "set NATS_TLS_CERT and NATS_TLS_KEY, or NATS_USER and NATS_PASSWORD"},
		"no port":            {func(c *bus.Config) { c.Embedded.Listen = "127.0.0.1" }, "is not host:port"},
		"remote unreachable": {func(c *bus.Config) { c.URL = "nats://user:hidden@" + unused }, "NATS_URL cannot be reached"},
		"half a certificate": {func(c *bus.Config) { c.URL = "nats://127.0.0.1:1"; c.Auth.CertFile = "x.pem" }, "go together"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := embedded(t)
			c.change(&config)
			b, err := bus.Open(t.Context(), config)
			if err == nil {
				b.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q; want one line with %q", err, c.want)
			}
		})
	}
}

// TestUnreadableURLHidesItsPassword: the parser of URLs quotes what it cannot read, and
// takes the password for a port if it contains a slash.
func TestUnreadableURLHidesItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"nats://bridge:hid%zzden@127.0.0.1:1", "nats://bridge:hid den@127.0.0.1:1", "nats://bridge:hid/den@127.0.0.1:1",
		"nats://bridge:hid#den@127.0.0.1:1", "nats://bridge:hid?den@127.0.0.1:1", "nats://bridge:hid\nden@127.0.0.1:1",
		"nats://bridge:hid%den@[::1", "nats://127.0.0.1:1,nats://hid%zzden@127.0.0.1:1",
	} {
		config := embedded(t)
		config.URL = url
		b, err := bus.Open(t.Context(), config)
		if err == nil {
			b.Close()
			t.Fatalf("%q: opened", url)
		}
		text := err.Error()
		if !strings.Contains(text, "NATS_URL cannot be read") || strings.Contains(text, "hid") || strings.Contains(text, "%zz") || strings.Contains(text, "den") {
			t.Errorf("%q: error %q", url, text)
		}
	}
}

// TestAddressHidesTheToken: a token in a URL takes the place of the user.
func TestAddressHidesTheToken(t *testing.T) {
	t.Parallel()
	s, config := remote(t, `authorization: {token: hidden-token}`)
	config.URL = strings.Replace(s.ClientURL(), "nats://", "nats://hidden-token@", 1)
	b := open(t, config)
	if got := b.ClientURL(); strings.Contains(got, "hidden") || got != s.ClientURL() {
		t.Errorf("the address is %s", got)
	}
}

func TestUserAndPasswordLogin(t *testing.T) {
	t.Parallel()
	_, config := remote(t, `authorization: {user: bridge, password: secret}`)
	refused(t, config, "NATS refuses a connection without credentials")
	config.Auth.User, config.Auth.Password = "bridge", "another-secret"
	refused(t, config, "NATS refuses our password")
	config.Auth.Password = "secret"
	works(t, config)
}

func TestTokenLogin(t *testing.T) {
	t.Parallel()
	_, config := remote(t, `authorization: {token: secret}`)
	config.Auth.Token = "another-secret"
	refused(t, config, "NATS refuses our token")
	config.Auth.Token = "secret"
	works(t, config)
}

func TestTokenFileLogin(t *testing.T) {
	t.Parallel()
	_, config := remote(t, `authorization: {token: secret}`)
	config.Auth.TokenFile = filepath.Join(t.TempDir(), "nowhere")
	refused(t, config, "read NATS_TOKEN_FILE")
	config.Auth.TokenFile = testkit.File(t, "token", "secret\n")
	works(t, config)
}

// userKey is the public key of testdata/user.nk. All keys there were made for
// these tests only.
const userKey = "UDV7H2QZ6MGNHLFAKGXLL24R6CRAHOQB67TYCSUL62FV26NBHMJWZOIP"

func TestNKeyLogin(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "authorization: {users: [{nkey: "+userKey+"}]}")
	config.Auth.NKeySeedFile = testkit.File(t, "user.nk", "no seed")
	refused(t, config, "read NATS_NKEY_SEED_FILE")
	config.Auth.NKeySeedFile = "testdata/stranger.nk"
	refused(t, config, "NATS refuses our key")
	config.Auth.NKeySeedFile = "testdata/user.nk"
	works(t, config)
}

// TestCredentialsLogin has an operator, an account and a user, as nsc makes them.
func TestCredentialsLogin(t *testing.T) {
	t.Parallel()
	operator, err := os.ReadFile("testdata/operator.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, config := remote(t, string(operator))
	refused(t, config, "NATS refuses a connection without credentials")
	config.Auth.CredsFile = testkit.File(t, "user.creds", "no secret")
	refused(t, config, "read NATS_CREDS")
	config.Auth.CredsFile = "testdata/user.creds"
	works(t, config)
}

func TestTLSWithAnOwnAuthorityAndAClientCertificate(t *testing.T) {
	t.Parallel()
	ours, others := testkit.NewAuthority(t), testkit.NewAuthority(t)
	cert, key := ours.Issue("nats")
	_, config := remote(t, fmt.Sprintf("tls: {cert_file: %q, key_file: %q, ca_file: %q, verify: true}", cert, key, ours.File))

	refused(t, config, "certificate signed by unknown authority")
	config.Auth.CAFile = ours.File
	refused(t, config, "NATS_TLS_CERT and NATS_TLS_KEY if it wants one of us")
	config.Auth.CertFile, config.Auth.KeyFile = others.Issue("bridge")
	refused(t, config, "NATS_URL cannot be reached")
	config.Auth.CertFile, config.Auth.KeyFile = ours.Issue("bridge")
	works(t, config)
}

func TestURLWithAPasswordStaysOutOfErrors(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.URL = "nats://bridge:secret@127.0.0.1:port"
	refused(t, config, "NATS_URL cannot be read")
}

func TestASecondServerIsUsedWhenTheFirstIsDown(t *testing.T) {
	t.Parallel()
	dead, _ := remote(t, "")
	deadURL := dead.ClientURL()
	dead.Shutdown()
	dead.WaitForShutdown()
	_, config := remote(t, "")
	config.URL = deadURL + "," + config.URL
	works(t, config)
}

func TestJetStreamDomain(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "jetstream: {domain: hub}")
	config.Domain = "edge"
	refused(t, config, "NATS_DOMAIN")
	config.Domain = "hub"
	works(t, config)
}
