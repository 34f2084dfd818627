package bus_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"callbridge/bus"
	"callbridge/bus/bustest"
)

func TestOpenSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	inUse := embedded(t)
	open(t, inUse)
	nobody := fmt.Sprint("127.0.0.1:", bustest.Port(t))

	for name, c := range map[string]struct {
		change func(*bus.Config)
		want   string
	}{
		"port in use":        {func(c *bus.Config) { c.Embedded.Listen = taken.Addr().String() }, "address already in use"},
		"store in use":       {func(c *bus.Config) { c.Embedded.Dir = inUse.Embedded.Dir }, "is in use by another callbridge"},
		"open to the world":  {func(c *bus.Config) { c.Embedded.Listen = "0.0.0.0:0" }, "set NATS_USER and NATS_PASSWORD"},
		"no port":            {func(c *bus.Config) { c.Embedded.Listen = "127.0.0.1" }, "is not host:port"},
		"remote unreachable": {func(c *bus.Config) { c.URL = "nats://user:hidden@" + nobody }, "NATS_URL cannot be reached"},
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

func TestPasswordGuardsTheEmbeddedServer(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Embedded.User, config.Embedded.Password = "sub", "secret"
	b := open(t, config)
	stranger := embedded(t)
	stranger.URL = b.ClientURL()
	if other, err := bus.Open(t.Context(), stranger); err == nil {
		other.Close()
		t.Error("opened without a password")
	}
	stranger.Auth.User, stranger.Auth.Password = "sub", "secret"
	open(t, stranger)
}
