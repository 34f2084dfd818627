package deploy_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/bus/bustest"
	"callbridge/internal/testkit"
)

// certified sets the variables of the TLS configurations to a certificate of an authority.
func certified(t *testing.T, ca *testkit.Authority, name string) {
	t.Helper()
	passwords(t)
	t.Setenv("NATS_NODE", name)
	certFile, keyFile := ca.Issue(name)
	for variable, file := range map[string]string{"TLS_CERT": certFile, "TLS_KEY": keyFile, "TLS_CA": ca.File} {
		t.Setenv(variable, file)
	}
}

// TestTLSFilesOnlyAddTLS: everything else is as without it.
func TestTLSFilesOnlyAddTLS(t *testing.T) {
	certified(t, testkit.NewAuthority(t), "nats-1")
	for _, name := range []string{"single", "cluster"} {
		plain, secure := configured(t, "nats/"+name+".conf"), configured(t, "nats/"+name+"-tls.conf")
		if secure.TLSConfig == nil || (name == "cluster") != (secure.Cluster.TLSConfig != nil) {
			t.Errorf("%s-tls.conf has no TLS", name)
		}
		if secure.ServerName != plain.ServerName || secure.StoreDir != plain.StoreDir || !secure.SyncAlways || len(secure.Users) != len(plain.Users) {
			t.Errorf("%s-tls.conf differs from %s.conf", name, name)
		}
		p, s := plain.Cluster, secure.Cluster
		if s.Name != p.Name || s.Port != p.Port || s.Username != p.Username || s.Password != p.Password || len(secure.Routes) != len(plain.Routes) {
			t.Errorf("the cluster of %s-tls.conf differs", name)
		}
	}
}

// TestTLSForClients: a bridge works with the authority, and does not start without it.
func TestTLSForClients(t *testing.T) {
	ca := testkit.NewAuthority(t)
	certified(t, ca, "nats")
	o := configured(t, "nats/single-tls.conf")
	o.Port, o.HTTPPort, o.StoreDir = server.RANDOM_PORT, 0, t.TempDir()
	url := "tls://" + bustest.Server(t, o).Addr().String()
	b := serve(t, url, simulator(t), "NATS_TLS_CA="+ca.File, "NATS_REPLICAS=1")
	if got := b.website("website-lead.json"); got != "requested" {
		t.Errorf("the webhook is %s", got)
	}
	if conn, err := nats.Connect(url, nats.UserInfo("reader", "demo-reader-password")); err == nil {
		conn.Close()
		t.Error("a client accepts a certificate of an unknown authority")
	}
}

// TestTLSBetweenServers: a route needs a certificate of the authority, also with the
// right password.
func TestTLSBetweenServers(t *testing.T) {
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	at := bustest.Port(t)
	node := func(name string, authority *testkit.Authority) *server.Server {
		certified(t, authority, name)
		o := configured(t, "nats/cluster-tls.conf")
		o.Port, o.HTTPPort, o.StoreDir, o.Cluster.Host, o.Cluster.Port = server.RANDOM_PORT, 0, t.TempDir(), "127.0.0.1", bustest.Port(t)
		if name == "nats-1" {
			o.Cluster.Port = at
		}
		o.Routes = server.RoutesFromStr("nats://route:demo-route-password@127.0.0.1:" + itoa(uint32(at)))
		return bustest.Server(t, o)
	}
	first := node("nats-1", ca)
	stranger := node("nats-3", other)
	second := node("nats-2", ca)
	testkit.Eventually(t, "the two servers of the authority have a route", func() bool { return first.NumRoutes() > 0 && second.NumRoutes() > 0 })
	if n := stranger.NumRoutes(); n > 0 {
		t.Errorf("a server of another authority has %d routes", n)
	}
}
