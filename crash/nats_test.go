//go:build unix

package crash_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/bustest"
)

// natsRole is the environment variable that makes a process a NATS server; its value
// is a natsOptions as JSON.
const natsRole = "CRASH_NATS_SERVER"

// natsOptions configures one server.
type natsOptions struct {
	Name        string `json:"name"`
	Host        string `json:"host"`
	Port        int    `json:"port"`
	Dir         string `json:"dir"`
	ClusterPort int    `json:"cluster_port"`
	Routes      string `json:"routes"`
}

// serveNATS runs an embedded nats-server until the test ends.
func serveNATS(text string) {
	var o natsOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	options := &server.Options{
		ServerName: o.Name, Host: o.Host, Port: o.Port, StoreDir: o.Dir, JetStream: true, NoSigs: true, NoLog: true,
	}
	if o.Routes != "" {
		options.Cluster = server.ClusterOpts{Name: "crash", Host: o.Host, Port: o.ClusterPort}
		options.Routes = server.RoutesFromStr(o.Routes)
	}
	s, err := server.NewServer(options)
	if err != nil {
		panic(err)
	}
	s.Start()
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// nodes are NATS servers in their own processes: one, or a cluster of three.
type nodes struct {
	supervisors []*supervisor
	options     []natsOptions
}

// startNATS starts servers, each on its host, and supervises them.
func startNATS(t *testing.T, count int, on func(node int) host) *nodes {
	t.Helper()
	n := &nodes{options: make([]natsOptions, count)}
	dir := t.TempDir()
	var routes []string
	for i := range n.options {
		o := &n.options[i]
		o.Host = on(i).address
		o.Name, o.Port, o.ClusterPort = "n"+strconv.Itoa(i), bustest.Port(t), bustest.Port(t)
		o.Dir = filepath.Join(dir, o.Name)
		routes = append(routes, fmt.Sprintf("nats://%s:%d", o.Host, o.ClusterPort))
	}
	for i, o := range n.options {
		if count > 1 {
			o.Routes = strings.Join(routes, ",")
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		s := &supervisor{name: o.Name, launch: func(onLine func(*process, string)) (*process, error) {
			return launch(on(i), os.Args[0], append(os.Environ(), natsRole+"="+string(text)), nil, onLine)
		}}
		s.supervise(t)
		n.supervisors = append(n.supervisors, s)
	}
	await(t, 20*time.Second, "NATS listens", func() bool { return n.listening() == count })
	return n
}

func (n *nodes) url() string {
	if n == nil {
		return ""
	}
	var urls []string
	for _, o := range n.options {
		u := url.URL{Scheme: "nats", Host: o.address()}
		urls = append(urls, u.String())
	}
	return strings.Join(urls, ",")
}

func (o natsOptions) address() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

// listening returns the number of servers that accept connections.
func (n *nodes) listening() int {
	count := 0
	for _, o := range n.options {
		if conn, err := net.DialTimeout("tcp", o.address(), time.Second); err == nil {
			_ = conn.Close()
			count++
		}
	}
	return count
}

// kill kills one server if all are running: a cluster of three tolerates the loss
// of one.
func (n *nodes) kill(name string, d *dice) {
	if n.listening() < len(n.options) {
		return
	}
	victim := d.n(len(n.options))
	for i, o := range n.options {
		if o.Name == name {
			victim = i
		}
	}
	n.supervisors[victim].kill()
}

// wipe deletes the data of the servers, which must be stopped.
func (n *nodes) wipe(t *testing.T) {
	t.Helper()
	for _, o := range n.options {
		if err := os.RemoveAll(o.Dir); err != nil {
			t.Fatal(err)
		}
	}
}
