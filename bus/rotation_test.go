package bus_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

// guarded is a server whose authorization changes while it runs, as after a SIGHUP.
type guarded struct {
	*server.Server
	dir string
}

func guard(t *testing.T, authorization string) (guarded, bus.Config) {
	t.Helper()
	g := guarded{dir: t.TempDir()}
	g.Server = bustest.Server(t, g.options(t, authorization))
	config := embedded(t)
	config.URL, config.Log = g.ClientURL(), quiet()
	return g, config
}

func (g guarded) options(t *testing.T, authorization string) *server.Options {
	t.Helper()
	o := &server.Options{}
	if err := o.ProcessConfigString("listen: \"127.0.0.1:-1\"\nauthorization: " + authorization); err != nil {
		t.Fatal(err)
	}
	o.JetStream, o.StoreDir, o.NoSigs, o.NoLog = true, g.dir, true, true
	return o
}

func (g guarded) change(t *testing.T, authorization string) {
	t.Helper()
	if err := g.ReloadOptions(g.options(t, authorization)); err != nil {
		t.Fatal(err)
	}
}

func readyAgain(t *testing.T, b *bus.Bus) {
	t.Helper()
	testkit.Eventually(t, "ready", func() bool { return b.Ready(t.Context()) == nil })
}

// notReady waits until Ready says why not.
func notReady(t *testing.T, b *bus.Bus, want string) {
	t.Helper()
	testkit.Eventually(t, "not ready: "+want, func() bool {
		err := b.Ready(t.Context())
		return err != nil && strings.Contains(err.Error(), want)
	})
}

// TestRefusedPasswordIsTriedAgain: by default, the client closes its connection for good
// when a server refuses the same password twice.
func TestRefusedPasswordIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, config := guard(t, `{user: bridge, password: secret}`)
	var log testkit.Log
	config.Auth.User, config.Auth.Password, config.Log = "bridge", "secret", log.Logger()
	b := open(t, config)
	s.change(t, `{user: bridge, password: another}`)
	notReady(t, b, "NATS refuses our password")
	testkit.Eventually(t, "several attempts", func() bool { return b.Conn().Stats().Reconnects >= 4 })
	s.change(t, `{user: bridge, password: secret}`)
	readyAgain(t, b)
	testkit.Eventually(t, "the end is logged", func() bool { return strings.Contains(log.String(), "nats.reconnected") })
	if text := log.String(); strings.Count(text, "nats.refused") != 1 || strings.Count(text, "nats.disconnected") > 1 || strings.Count(text, "nats.error") > 0 {
		t.Errorf("want one line about the refusal, and one about the loss at most:\n%s", text)
	}
}

func publicKey(t *testing.T, seedFile string) string {
	t.Helper()
	option, err := nats.NkeyOptionFromSeed(seedFile)
	if err != nil {
		t.Fatal(err)
	}
	var o nats.Options
	if err := option(&o); err != nil {
		t.Fatal(err)
	}
	return o.Nkey
}

// TestChangedCredentialsAreReadAtTheNextConnect: the servers change first, and then the
// file.
func TestChangedCredentialsAreReadAtTheNextConnect(t *testing.T) {
	t.Parallel()
	key := func(file string) string { return "{users: [{nkey: " + publicKey(t, file) + "}]}" }
	for name, c := range map[string]struct {
		before, after        string // authorization of the server
		content, nextContent string // of the file
		auth                 func(file string) bus.Auth
		refused              string
	}{
		"password": {
			`{user: bridge, password: first}`, `{user: bridge, password: second}`, "first\n", "second\n",
			func(file string) bus.Auth { return bus.Auth{User: "bridge", PasswordFile: file} }, "NATS refuses our password",
		},
		"token": {
			`{token: first}`, `{token: second}`, "first", "second",
			func(file string) bus.Auth { return bus.Auth{TokenFile: file} }, "NATS refuses our token",
		},
		"nkey": {
			key("testdata/user.nk"), key("testdata/stranger.nk"), testkit.Read(t, "bus/testdata/user.nk"), testkit.Read(t, "bus/testdata/stranger.nk"),
			func(file string) bus.Auth { return bus.Auth{NKeySeedFile: file} }, "NATS refuses our key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, config := guard(t, c.before)
			file := testkit.File(t, "credentials", c.content)
			config.Auth = c.auth(file)
			b := open(t, config)
			s.change(t, c.after)
			notReady(t, b, c.refused)
			if err := os.WriteFile(file, []byte(c.nextContent), 0o600); err != nil {
				t.Fatal(err)
			}
			readyAgain(t, b)
		})
	}
}

// TestTwoPasswordsDuringARotation: the file has the new password and the old one before
// the servers change.
func TestTwoPasswordsDuringARotation(t *testing.T) {
	t.Parallel()
	s, config := guard(t, `{user: bridge, password: old}`)
	var log testkit.Log
	config.Auth.User, config.Auth.PasswordFile, config.Log = "bridge", testkit.File(t, "password", "new\r\nold\n"), log.Logger()
	b := open(t, config)
	s.change(t, `{user: bridge, password: new}`)
	testkit.Eventually(t, "reconnected", func() bool { return strings.Contains(log.String(), "nats.reconnected") })
	readyAgain(t, b)
	if text := log.String(); strings.Contains(text, "nats.refused") {
		t.Errorf("the rotation is reported as a refusal:\n%s", text)
	}
}

func TestUnusablePasswordFileIsRefused(t *testing.T) {
	t.Parallel()
	_, config := guard(t, `{user: bridge, password: secret}`)
	config.Auth.PasswordFile = testkit.File(t, "password", "secret")
	refused(t, config, "NATS_PASSWORD_FILE needs NATS_USER")
	config.Auth.User = "bridge"
	works(t, config)
	config.Auth.PasswordFile = testkit.File(t, "password", "one\ntwo\nsecret")
	refused(t, config, "it has 3 lines")
	config.Auth.PasswordFile = testkit.File(t, "password", "\n")
	refused(t, config, "it is empty")
	config.Auth.PasswordFile = "nowhere"
	refused(t, config, "read NATS_PASSWORD_FILE")
}

// TestClosedConnectionIsReported: the server answers a subject that is too long with an
// error, after which the client gives up.
func TestClosedConnectionIsReported(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "")
	b := open(t, config)
	ended := make(chan error, 1)
	go func() { ended <- b.Watch(t.Context()) }()
	if err := b.Conn().Publish(strings.Repeat("x", 5000), nil); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Next(t, ended); err == nil || !strings.Contains(err.Error(), "closed the connection for good") {
		t.Errorf("error %v", err)
	}
	notReady(t, b, "closed the connection for good")
}

// TestRefusalAtTheStartIsToldAndWaitedFor: a process may start in the middle of a
// rotation.
func TestRefusalAtTheStartIsToldAndWaitedFor(t *testing.T) {
	t.Parallel()
	s, config := guard(t, `{user: bridge, password: old}`)
	var log testkit.Log
	reasons := make(chan error, 1000)
	config.Auth.User, config.Auth.Password = "bridge", "new"
	config.Wait, config.Log = time.Minute, log.Logger()
	config.Waiting = func(reason error) { reasons <- reason }
	opened := make(chan error, 1)
	go func() {
		b, err := bus.Open(t.Context(), config)
		if err == nil {
			b.Close()
		}
		opened <- err
	}()
	if reason := testkit.Next(t, reasons); !strings.Contains(reason.Error(), "NATS refuses our password") {
		t.Errorf("waits because %v", reason)
	}
	s.change(t, `{user: bridge, password: new}`)
	if err := testkit.Next(t, opened); err != nil {
		t.Errorf("open: %v", err)
	}
	if text := log.String(); strings.Count(text, "nats.refused") != 1 || strings.Contains(text, "nats.waiting") || !strings.Contains(text, "nats.connected") {
		t.Errorf("want one line about the refusal and one about the end:\n%s", text)
	}
}

// TestSettingsAreNotWaitedFor: only another setting mends these errors.
func TestSettingsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "")
	config.Wait = time.Hour
	for want, change := range map[string]func(*bus.Config){
		"NATS_URL cannot be read": func(c *bus.Config) { c.URL = "nats://127.0.0.1:port" },
		"read NATS_CREDS":         func(c *bus.Config) { c.Auth.CredsFile = "nowhere" },
		"read NATS_TLS_CA":        func(c *bus.Config) { c.Auth.CAFile = "nowhere" },
		"is missing":              func(c *bus.Config) { c.CheckOnly = true },
		"replicas":                func(c *bus.Config) { c.Replicas = 3 },
	} {
		c := config
		change(&c)
		refused(t, c, want)
	}
}
