package deploy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/audit"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// passwords sets the environment of nats-server, from demo/nats.env.
func passwords(t *testing.T) {
	t.Helper()
	for _, line := range environment(t, "demo/nats.env") {
		name, v, _ := strings.Cut(line, "=")
		t.Setenv(name, v)
	}
}

// configured loads a configuration file as nats-server does.
func configured(t *testing.T, file string) *server.Options {
	t.Helper()
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func TestNATSAcceptsItsConfiguration(t *testing.T) {
	passwords(t)
	t.Setenv("NATS_NODE", "nats-2")
	single, node := configured(t, "nats/single.conf"), configured(t, "nats/cluster.conf")
	if node.ServerName != "nats-2" || node.Cluster.Name != "callbridge" || node.Cluster.Password == "" || len(node.Routes) != 3 {
		t.Errorf("node %s of cluster %q, routes %v", node.ServerName, node.Cluster.Name, node.Routes)
	}
	for _, o := range []*server.Options{single, node} {
		if !o.SyncAlways {
			t.Errorf("%s: a power cut may lose acknowledged messages", o.ServerName)
		}
		if !o.JetStream || o.StoreDir != "/data" || o.Port != 4222 || o.HTTPPort != 8222 || o.SystemAccount != "SYS" || len(o.Users) != 7 {
			t.Errorf("JetStream %t in %s, ports %d and %d, %d users", o.JetStream, o.StoreDir, o.Port, o.HTTPPort, len(o.Users))
		}
	}
}

// TestNATSHasTheRolesOfTheEmbeddedServer compares accounts.conf with their definition.
func TestNATSHasTheRolesOfTheEmbeddedServer(t *testing.T) {
	passwords(t)
	t.Setenv("NATS_NODE", "nats-1")
	o := configured(t, "nats/cluster.conf")
	for _, r := range role.All("callbridge") {
		u := user(t, o, r.Name)
		publish := u.Permissions.Publish
		if len(r.Publish) == 0 && !slices.Equal(publish.Deny, []string{">"}) || len(r.Publish) > 0 && !sameSet(publish.Allow, r.Publish) {
			t.Errorf("%s may publish to\n%v, want\n%v", r.Name, publish, r.Publish)
		}
		if got := u.Permissions.Response; (got != nil) != r.Responses || got != nil && (got.MaxMsgs != 1 || got.Expires != role.ResponseTime) {
			t.Errorf("%s may answer: %v, want %t", r.Name, got, r.Responses)
		}
		if !sameSet(u.Permissions.Subscribe.Allow, r.Subscribe) {
			t.Errorf("%s may subscribe to %v, want %v", r.Name, u.Permissions.Subscribe.Allow, r.Subscribe)
		}
		if want := map[bool]string{true: "PRODUCERS", false: "CALLBRIDGE"}[r.Apart]; u.Account.Name != want {
			t.Errorf("%s is in account %s, want %s", r.Name, u.Account.Name, want)
		}
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// TestNATSGetsEveryVariable: nats-server does not start if a variable is missing.
func TestNATSGetsEveryVariable(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("nats")
	if err != nil {
		t.Fatal(err)
	}
	have := []string{"JS", "NATS_NODE", "TLS_CERT", "TLS_KEY", "TLS_CA"}
	for _, line := range environment(t, "demo/nats.env") {
		name, _, _ := strings.Cut(line, "=")
		have = append(have, name)
	}
	for _, f := range files {
		for _, m := range regexp.MustCompile(`\$([A-Z_]+)`).FindAllStringSubmatch(read(t, "nats/"+f.Name()), -1) {
			if !slices.Contains(have, m[1]) {
				t.Errorf("nats/%s needs %s, which is not set", f.Name(), m[1])
			}
		}
	}
}

// spy is a user that may subscribe to every subject, to find unused permissions of
// the others.
const spy = "spy"

// cluster starts three servers from nats/cluster.conf, on loopback, with the user
// spy.
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
	testkit.Eventually(t, "the cluster has a leader", func() bool {
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

// urls returns the NATS_URL of the servers.
func urls(servers []*server.Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, "nats://"+s.Addr().String())
	}
	return strings.Join(all, ",")
}

// TestLeastPermissions: two bridges work on a cluster with the users of
// nats/accounts.conf, each user can do its task, and no permission is unused.
func TestLeastPermissions(t *testing.T) {
	servers := cluster(t)
	seen := watch(t, servers)
	results := testkit.Subscribe(t, connect(t, servers, "results", "demo-results-password"), "callbridge.result.>")
	callab := simulator(t)
	config := "CONFIG_FILE=" + withDryRun(t)
	one, two := serve(t, urls(servers), callab, config, "FOLLOW=on"), serve(t, urls(servers), callab, config, "FOLLOW=on")

	for _, c := range []struct {
		bridge       bridge
		file, status string
		result       event.Outcome
	}{
		{one, "website-lead.json", "requested", event.Accepted},
		{two, "website-lead.json", "duplicate", ""},
		{two, "website-lost-answer.json", "requested", event.Accepted},
		{one, "website-no-phone.json", "rejected", event.Rejected},
		{two, "website-no-consent.json", "skipped", event.Skipped},
	} {
		if got := c.bridge.website(c.file); got != c.status {
			t.Errorf("%s is %s, want %s", c.file, got, c.status)
		}
		if c.result != "" {
			if got := testkit.Receive[event.Result](t, results); got.Outcome != c.result {
				t.Errorf("%s ends %s (%s), want %s", c.file, got.Outcome, got.Detail, c.result)
			}
		}
	}
	t.Run("one of each may stop", func(t *testing.T) {
		if err := one.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, one.log())
		}
		servers[0].Shutdown()
		testkit.Eventually(t, "the other two servers and the other bridge continue", func() bool { return two.website("website-lead.json") == "duplicate" })
	})
	if err := two.stop(); err != nil {
		t.Errorf("stop: %v\n%s", err, two.log())
	}
	for _, b := range []bridge{one, two} {
		if strings.Contains(strings.ToLower(b.log()), "permissions violation") {
			t.Errorf("the bridge lacks a permission:\n%s", b.log())
		}
	}
	t.Run("the results user", func(t *testing.T) { resultsOnly(t, servers[1:]) })
	t.Run("the reader", func(t *testing.T) { readerOnly(t, servers[1:]) })
	// Of one server: another one would learn only later what the test subscribes to.
	t.Run("a producer", func(t *testing.T) { producerOnly(t, servers[1:2]) })
	sweepAndLookUp(t, servers[1:])
	idle(t, seen, "bridge", "reader")
}

// withDryRun writes callbridge.yaml with one more route, whose dry run closes requests.
func withDryRun(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "callbridge.yaml")
	text := strings.TrimRight(read(t, "callbridge.yaml"), "\n") + `
  - {name: without-consent, source: website, mode: dry_run, when: "!consent", call: {call_to: phone}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// subjects collects the subjects of published messages.
type subjects struct {
	mu  sync.Mutex
	all map[string]bool
}

func (s *subjects) matched(pattern string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for subject := range s.all {
		if server.SubjectsCollide(subject, pattern) {
			return true
		}
	}
	return false
}

func watch(t *testing.T, servers []*server.Server) *subjects {
	t.Helper()
	seen := &subjects{all: map[string]bool{}}
	conn := connect(t, servers, spy, spy)
	if _, err := conn.Subscribe(">", func(m *nats.Msg) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.all[m.Subject] = true
	}); err != nil {
		t.Fatal(err)
	}
	return seen
}

// sweepAndLookUp uses, as the user bridge, the permissions that a bridge uses rarely:
// it reads a ledger of several batches, reads a request back, and stores an event
// that waits for a lookup.
func sweepAndLookUp(t *testing.T, servers []*server.Server) {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{
		URL: urls(servers), Auth: bus.Auth{User: "bridge", Password: "demo-bridge-password"},
		Prefix: "callbridge", Replicas: 3, Retention: 168 * time.Hour, AckWait: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const more = 1001
	for range more {
		if _, err := b.Ledger().Put(t.Context(), uuid.New(), []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
	}
	var read []uuid.UUID
	// As for the reader: the server may not know the new consumer yet.
	testkit.Eventually(t, "the sweep reads the ledger", func() bool {
		read = nil
		return b.Ledger().Each(t.Context(), func(id uuid.UUID, _ bus.Entry) error { read = append(read, id); return nil }) == nil
	})
	if len(read) < more {
		t.Errorf("the sweep reads %d records of at least %d", len(read), more)
	}
	found := slices.ContainsFunc(read, func(id uuid.UUID) bool { _, err := b.StoredRequest(t.Context(), id); return err == nil })
	if !found {
		t.Error("no stored request can be read")
	}
	if b.DNC().Key, err = personkey.New([]byte(strings.Repeat("k", 32))); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DNC().Add(t.Context(), []string{"+12025550142"}, dnc.Entry{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	changeAndRead(t, servers, b)
	b.Memory().Key = b.DNC().Key
	if err := b.Memory().Reserve(t.Context(), "+12025550142", people.Document{}, 0, people.Call{Request: uuid.New(), Attempt: 1, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := b.StopSource(t.Context(), control.Stop{Scope: control.Scope{Source: "import"}, By: control.Storm, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	// The bridges stop before their first look at a call.
	if err := b.PublishResult(t.Context(), event.Result{RequestID: uuid.New(), Outcome: event.Ended, Reason: event.ReasonUnresolved, Event: event.Event{Source: "website"}}); err != nil {
		t.Fatal(err)
	}
	waiting := event.Pending{Event: event.Event{ID: uuid.New(), Source: "website"}}
	if seen, err := b.Store(t.Context(), "", event.Item{Pending: &waiting}); err != nil || seen[0] {
		t.Errorf("seen before: %t, %v", seen[0], err)
	}
}

// changeAndRead changes the do-not-call list as the user operator, and reads that as the user
// reader.
func changeAndRead(t *testing.T, servers []*server.Server, b *bus.Bus) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		_ = b.ServeDNC(ctx, func(text string) (event.Phone, error) { return event.Phone(text), nil })
	})
	defer func() { stop(); serving.Wait() }()
	as := func(name string) bus.Config {
		return bus.Config{URL: urls(servers), Auth: bus.Auth{User: name, Password: "demo-" + name + "-password"}, Prefix: "callbridge", Replicas: 3}
	}
	for _, verb := range []string{dnc.VerbAdd, dnc.VerbRemove} {
		testkit.Eventually(t, "the bridge answers", func() bool {
			return bus.AskDNC(ctx, as("operator"), func(ctx context.Context, c dnc.Client) error {
				_, err := c.Ask(ctx, verb, dnc.Request{Numbers: []string{"+12025550143"}})
				return err
			}) == nil
		})
	}
	testkit.Eventually(t, "both acts are read", func() bool {
		read := map[string]bool{}
		err := bus.ReadArchive(ctx, as("reader"), "test", role.Reader, func(ctx context.Context, a archive.Archive) error {
			return a.Acts(ctx, "", time.Time{}, func(e audit.Entry) error { read[e.Verb] = true; return nil })
		})
		return err == nil && len(read) == 2
	})
}

// idle reports permissions that were never used.
func idle(t *testing.T, seen *subjects, names ...string) {
	t.Helper()
	o := configured(t, "nats/cluster.conf")
	for _, name := range names {
		for _, grant := range user(t, o, name).Permissions.Publish.Allow {
			testkit.Eventually(t, name+" uses "+grant, func() bool { return seen.matched(grant) })
		}
	}
}

// refused reports whether the server refused the last action of the connection.
func refused(conn *nats.Conn) bool {
	_ = conn.Flush()
	return errors.Is(conn.LastError(), nats.ErrPermissionViolation)
}

func resultsOnly(t *testing.T, servers []*server.Server) {
	for _, subject := range []string{
		"callbridge.request.website." + uuid.NewString() + ".ready", "callbridge.result.accepted.website." + uuid.NewString(),
		"callbridge.ledger." + uuid.NewString(), "$JS.API.STREAM.DELETE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.INFO.CALLBRIDGE_RESULTS",
	} {
		conn := connect(t, servers, "results", "demo-results-password")
		if _ = conn.Publish(subject, nil); !refused(conn) {
			t.Errorf("it may publish to %s", subject)
		}
	}
	for _, subject := range []string{"callbridge.request.>", "callbridge.>", "_INBOX.>", ">"} {
		conn := connect(t, servers, "results", "demo-results-password")
		if _, err := conn.SubscribeSync(subject); err != nil || !refused(conn) {
			t.Errorf("it may subscribe to %s (%v)", subject, err)
		}
	}
}

func readerOnly(t *testing.T, servers []*server.Server) {
	conn := connect(t, servers, "reader", "demo-reader-password", nats.CustomInboxPrefix("_INBOX_reader"))
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.CreateConsumer(t.Context(), "CALLBRIDGE_RESULTS", jetstream.ConsumerConfig{Durable: "crm", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	const expected = 4
	// The server may not know the new consumer yet; then a fetch returns nothing.
	read := 0
	testkit.Eventually(t, "the durable consumer delivers all results", func() bool {
		batch, err := consumer.Fetch(expected-read, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			read++
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return read == expected
	})
	if _, err := consumer.Info(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := js.Stream(t.Context(), "CALLBRIDGE_RESULTS"); err != nil {
		t.Error(err)
	}
	for _, subject := range []string{"callbridge.request.website." + uuid.NewString() + ".ready", "$JS.API.STREAM.PURGE.CALLBRIDGE_RESULTS", "$JS.API.CONSUMER.CREATE.CALLBRIDGE_REQUESTS.x"} {
		other := connect(t, servers, "reader", "demo-reader-password", nats.CustomInboxPrefix("_INBOX_reader"))
		if _ = other.Publish(subject, nil); !refused(other) {
			t.Errorf("it may publish to %s", subject)
		}
	}
}

// producerOnly: an acknowledgement that a producer directs elsewhere stays in its account.
func producerOnly(t *testing.T, servers []*server.Server) {
	id := uuid.NewString()
	own := "callbridge.request.producer." + id + ".ready"
	astray := testkit.Subscribe(t, connect(t, servers, spy, spy), "callbridge.ledger."+id, "callbridge.request.website.>", own)
	producer := connect(t, servers, "producer", "demo-producer-password", nats.CustomInboxPrefix("_INBOX_producer"))
	for _, reply := range []string{"callbridge.ledger." + id, "callbridge.request.website." + id + ".ready"} {
		if err := producer.PublishRequest(own, reply, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	js, err := jetstream.New(producer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), own, []byte("{}")); err != nil {
		t.Errorf("the producer gets no acknowledgement: %v", err)
	}
	for range 3 {
		if m := testkit.Next(t, astray); m.Subject != own {
			t.Errorf("a producer has the server write to %s", m.Subject)
		}
	}
	for _, subject := range []string{"callbridge.request.website." + id + ".ready", "callbridge.ledger." + id, "$JS.API.STREAM.INFO.CALLBRIDGE_REQUESTS"} {
		other := connect(t, servers, "producer", "demo-producer-password", nats.CustomInboxPrefix("_INBOX_producer"))
		if _ = other.Publish(subject, nil); !refused(other) {
			t.Errorf("it may publish to %s", subject)
		}
	}
}

// TestTLSWithAClientCertificate: a server with the users of nats/accounts.conf
// accepts a bridge only with a certificate of its authority, and the bridge accepts
// the server only with its authority.
func TestTLSWithAClientCertificate(t *testing.T) {
	passwords(t)
	ca := testkit.NewAuthority(t)
	o := configured(t, "nats/single.conf")
	o.Port, o.HTTPPort, o.StoreDir = server.RANDOM_PORT, 0, t.TempDir()
	o.TLS, o.TLSVerify, o.TLSTimeout = true, true, 5
	o.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{ca.Certificate("server")}, ClientCAs: ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	s := bustest.Server(t, o)
	certFile, keyFile := ca.Issue("bridge")
	certificate := []string{"NATS_TLS_CERT=" + certFile, "NATS_TLS_KEY=" + keyFile}
	authority := "NATS_TLS_CA=" + ca.File
	url := "tls://" + s.Addr().String()

	b := serve(t, url, simulator(t), append(certificate, authority, "NATS_REPLICAS=1")...)
	if got := b.website("website-lead.json"); got != "requested" {
		t.Errorf("the webhook is %s", got)
	}
	for title, env := range map[string][]string{"without a certificate": {authority}, "without the authority": certificate} {
		p := start(t, serving(t, url, "http://127.0.0.1:1/v1", append(env, "NATS_REPLICAS=1", "NATS_WAIT=0s")...), "serve")
		if said := p.logged(`"msg":"process.failed","error":"(.*)"`); !strings.Contains(said, "NATS_URL cannot be reached") {
			t.Errorf("%s: %s", title, said)
		}
	}
}
