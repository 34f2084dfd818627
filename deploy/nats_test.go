package deploy_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/bustest"
)

// passwords sets what demo/nats.env sets for nats-server.
func passwords(t *testing.T) {
	t.Helper()
	for _, line := range environment(t, "demo/nats.env") {
		name, v, _ := strings.Cut(line, "=")
		t.Setenv(name, v)
	}
}

// configured reads a file as nats-server does when it starts.
func configured(t *testing.T, file string) *server.Options {
	t.Helper()
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func TestNATSTakesItsConfiguration(t *testing.T) {
	passwords(t)
	t.Setenv("NATS_NODE", "nats-2")
	single, node := configured(t, "nats/single.conf"), configured(t, "nats/cluster.conf")
	if !single.SyncAlways {
		t.Error("a single server may lose what it has acknowledged")
	}
	if node.ServerName != "nats-2" || node.Cluster.Name != "callbridge" || node.Cluster.Password == "" || len(node.Routes) != 3 {
		t.Errorf("node %s of cluster %q, routes %v", node.ServerName, node.Cluster.Name, node.Routes)
	}
	for _, o := range []*server.Options{single, node} {
		if !o.JetStream || o.StoreDir != "/data" || o.Port != 4222 || o.HTTPPort != 8222 || o.SystemAccount != "SYS" || len(o.Users) != 4 {
			t.Errorf("JetStream %t in %s, ports %d and %d, %d users", o.JetStream, o.StoreDir, o.Port, o.HTTPPort, len(o.Users))
		}
	}
}

// TestNATSGetsEveryVariable: a variable that is missing stops nats-server.
func TestNATSGetsEveryVariable(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("nats")
	if err != nil {
		t.Fatal(err)
	}
	have := []string{"JS", "NATS_NODE"}
	for _, line := range environment(t, "demo/nats.env") {
		name, _, _ := strings.Cut(line, "=")
		have = append(have, name)
	}
	for _, f := range files {
		for _, m := range regexp.MustCompile(`\$([A-Z_]+)`).FindAllStringSubmatch(read(t, "nats/"+f.Name()), -1) {
			if !slices.Contains(have, m[1]) {
				t.Errorf("nats/%s wants %s, which nobody sets", f.Name(), m[1])
			}
		}
	}
}

// spy sees every subject of the account: what the others are granted has to be
// used.
const spy = "spy"

// cluster starts three servers from nats/cluster.conf, on loopback, with one
// more user that sees all.
func cluster(t *testing.T) []*server.Server {
	t.Helper()
	passwords(t)
	names := []string{"nats-1", "nats-2", "nats-3"}
	at := map[string]int{}
	for _, name := range names {
		at[name] = bustest.Port(t)
	}
	var servers []*server.Server
	for _, name := range names {
		t.Setenv("NATS_NODE", name)
		o := configured(t, "nats/cluster.conf")
		o.Port, o.HTTPPort, o.StoreDir = server.RANDOM_PORT, 0, t.TempDir()
		o.Cluster.Host, o.Cluster.Port = "127.0.0.1", at[name]
		for _, route := range o.Routes {
			route.Host = fmt.Sprint("127.0.0.1:", at[route.Hostname()])
		}
		o.Users = append(o.Users, &server.User{Username: spy, Password: spy, Account: user(t, o, "bridge").Account})
		servers = append(servers, bustest.Server(t, o))
	}
	until(t, "the cluster has a leader", func() bool {
		return slices.ContainsFunc(servers, func(s *server.Server) bool {
			return s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == len(names)
		})
	})
	return servers
}

func user(t *testing.T, o *server.Options, name string) *server.User {
	t.Helper()
	at := slices.IndexFunc(o.Users, func(u *server.User) bool { return u.Username == name })
	if at < 0 {
		t.Fatalf("nats/accounts.conf has no user %s", name)
	}
	return o.Users[at]
}

// urls is what NATS_URL says of the servers.
func urls(servers []*server.Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, "nats://"+s.Addr().String())
	}
	return strings.Join(all, ",")
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
