package bus_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// user connects to an embedded server as a role.
func user(t *testing.T, b *bus.Bus, name string) *nats.Conn {
	t.Helper()
	return testkit.Connect(t, b.UserURL(name), nats.CustomInboxPrefix(role.Inbox(name)))
}

func TestTheEmbeddedServerLetsOnlyItsUsersIn(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	address := b.ClientURL()
	host := strings.TrimPrefix(address, "nats://")
	for _, refused := range []string{
		address, "nats://results:@" + host, "nats://results:wrong-password@" + host, "nats://process:@" + host, "nats://root:root@" + host,
		"nats://" + strings.TrimPrefix(b.UserURL("results"), "nats://results:"),
	} {
		if conn, err := nats.Connect(refused); err == nil {
			conn.Close()
			t.Errorf("let in with %d characters of credentials", len(refused)-len(address))
		}
	}
	for _, name := range role.Names {
		if err := user(t, b, name).Flush(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// attempts are what a role may not do, by subject. NATS has no message on any of them
// afterwards.
var attempts = []string{
	"callbridge.request.website.x.ready", "callbridge.request.producer.x.closed", "callbridge.request.producer.x.ready", "callbridge.lookup.website.x",
	"callbridge.ledger.x", "callbridge.result.accepted.website.x", "callbridge.limit.x",
	"$JS.API.STREAM.PURGE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.DELETE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.UPDATE.CALLBRIDGE_REQUESTS",
	"$JS.API.STREAM.MSG.DELETE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.MSG.DELETE.CALLBRIDGE_RESULTS", "$JS.API.STREAM.SNAPSHOT.CALLBRIDGE_RESULTS",
	"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.MSG.GET.CALLBRIDGE_REQUESTS", "$JS.API.CONSUMER.CREATE.CALLBRIDGE_REQUESTS.spy.>",
	"$JS.API.CONSUMER.DELETE.CALLBRIDGE_REQUESTS.dispatch", "$JS.API.CONSUMER.MSG.NEXT.CALLBRIDGE_REQUESTS.dispatch", "$JS.ACK.CALLBRIDGE_REQUESTS.dispatch.1.1.1.1.1",
	"$SYS.REQ.SERVER.PING", "anything",
}

// mayPublish are the attempts that a role is allowed.
var mayPublish = map[string][]string{
	role.Operator: {"callbridge.request.website.x.ready", "callbridge.request.producer.x.ready", "$JS.API.STREAM.MSG.GET.CALLBRIDGE_REQUESTS"},
	role.Results:  {},
	role.Reader:   {},
	role.Producer: {"callbridge.request.producer.x.ready"},
	role.Administrator: {
		"$JS.API.STREAM.PURGE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.DELETE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.UPDATE.CALLBRIDGE_REQUESTS",
		"$JS.API.STREAM.MSG.DELETE.CALLBRIDGE_LEDGER", "$JS.API.STREAM.MSG.DELETE.CALLBRIDGE_RESULTS", "$JS.API.STREAM.SNAPSHOT.CALLBRIDGE_RESULTS",
		"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.MSG.GET.CALLBRIDGE_REQUESTS", "$JS.API.CONSUMER.CREATE.CALLBRIDGE_REQUESTS.spy.>",
		"$JS.API.CONSUMER.DELETE.CALLBRIDGE_REQUESTS.dispatch", "$JS.API.CONSUMER.MSG.NEXT.CALLBRIDGE_REQUESTS.dispatch",
	},
}

func TestRolesMayDoOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	for name, allowed := range mayPublish {
		for _, subject := range attempts {
			if got, want := !denied(t, b, name, func(c *nats.Conn) error { return c.Publish(subject, nil) }), slices.Contains(allowed, subject); got != want {
				t.Errorf("%s may publish to %s: %t, want %t", name, subject, got, want)
			}
		}
	}
	for name, allowed := range map[string][]string{
		role.Operator:      {"callbridge.request.>", "callbridge.ledger.*", "callbridge.result.>"},
		role.Administrator: {},
		role.Results:       {"callbridge.result.>"}, role.Reader: {"callbridge.result.>"}, role.Producer: {"callbridge.result.*.producer.*"},
	} {
		for _, subject := range []string{"callbridge.request.>", "callbridge.ledger.*", "callbridge.result.>", "callbridge.result.*.producer.*", ">", "_INBOX.>", "_INBOX_callbridge.>", "_INBOX_process.>", "$JS.API.>"} {
			covered := slices.Contains(allowed, subject) || subject == "callbridge.result.*.producer.*" && slices.Contains(allowed, "callbridge.result.>")
			got := !denied(t, b, name, func(c *nats.Conn) error { _, err := c.SubscribeSync(subject); return err })
			if got != covered {
				t.Errorf("%s may subscribe to %s: %t, want %t", name, subject, got, covered)
			}
		}
	}
}

// denied reports whether the server refuses an action of a role.
func denied(t *testing.T, b *bus.Bus, name string, action func(*nats.Conn) error) bool {
	t.Helper()
	conn := user(t, b, name)
	defer conn.Close()
	if err := action(conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return errors.Is(conn.LastError(), nats.ErrPermissionViolation)
}

// TestAReplySubjectOfAProducerReachesNoStream: NATS sends its acknowledgement to
// the reply subject of a message, and does not ask whether the sender may publish there.
// An acknowledgement in the ledger would be a record without a state.
func TestAReplySubjectOfAProducerReachesNoStream(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	js := jetStreamOf(t, b)
	producer := user(t, b, role.Producer)
	id := uuid.NewString()
	replies := []string{
		"callbridge.ledger." + id, "callbridge.request.website." + id + ".ready", "callbridge.lookup.website." + id,
		"callbridge.result.accepted.website." + id, "$JS.API.STREAM.PURGE.CALLBRIDGE_REQUESTS", "$JS.API.STREAM.DELETE.CALLBRIDGE_RESULTS",
	}
	for _, reply := range replies {
		if err := producer.PublishRequest("callbridge.request.producer."+uuid.NewString()+".ready", reply, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	api, err := jetstream.New(producer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Publish(t.Context(), "callbridge.request.producer."+uuid.NewString()+".ready", []byte(`{}`)); err != nil {
		t.Errorf("the producer gets no acknowledgement: %v", err)
	}
	// The server sends acknowledgements of one stream in order: the others were sent.
	for name, want := range map[string]int{"CALLBRIDGE_REQUESTS": len(replies) + 1, "CALLBRIDGE_LEDGER": 0, "CALLBRIDGE_RESULTS": 0} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := int(stream.CachedInfo().State.Msgs); got != want {
			t.Errorf("%s has %d messages, want %d", name, got, want)
		}
	}
}

func TestAProducerHearsItsOwnResultsOnly(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	heard := testkit.Subscribe(t, user(t, b, role.Producer), "callbridge.result.*.producer.*")
	for _, source := range []string{"website", "producer"} {
		r := request("lead-1")
		r.Event.Source = source
		if err := b.PublishResult(t.Context(), event.Result{RequestID: r.ID, Outcome: event.Accepted, Reason: event.ReasonCreated, Event: r.Event}); err != nil {
			t.Fatal(err)
		}
	}
	if m := testkit.Next(t, heard); !strings.HasPrefix(m.Subject, "callbridge.result.accepted.producer.") {
		t.Errorf("it hears %s", m.Subject)
	}
}

// TestASecondProcessMayConnectAsBridge uses everything that a process uses.
func TestASecondProcessMayConnectAsBridge(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	config := embedded(t)
	config.URL = b.UserURL(role.Bridge)
	useAll(t, open(t, config))
}

func TestTheReaderHasADurableConsumer(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	useAll(t, b)
	js, err := jetstream.New(user(t, b, role.Reader))
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.CreateConsumer(t.Context(), "CALLBRIDGE_RESULTS", jetstream.ConsumerConfig{Durable: "crm", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Acknowledge(t, consumer)
}

func TestAUserOfOnesOwnIsAnOperator(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Embedded.User, config.Embedded.Password = "sub", "secret"
	b := open(t, config)
	useAll(t, b)
	address, err := url.Parse(b.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("sub", "secret")
	own := testkit.Connect(t, address.String())
	js, err := jetstream.New(own)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "callbridge.request.website."+uuid.NewString()+".ready", []byte(`{}`)); err != nil {
		t.Error(err)
	}
	if err := own.Publish("callbridge.ledger.x", nil); err != nil {
		t.Fatal(err)
	}
	if err := own.Flush(); err != nil || !errors.Is(own.LastError(), nats.ErrPermissionViolation) {
		t.Errorf("it may write to the ledger: %v, %v", err, own.LastError())
	}
	taken := embedded(t)
	taken.Embedded.User, taken.Embedded.Password = "bridge", "secret"
	refused(t, taken, "NATS_USER bridge is a user that callbridge makes")
	half := embedded(t)
	half.Embedded.User = "sub"
	refused(t, half, "NATS_USER and NATS_PASSWORD go together")
}

func TestPasswordsStayTheSameAndOutOfTheLog(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	var log testkit.Log
	config.Log = log.Logger()
	first := open(t, config)
	urls := map[string]string{}
	for _, name := range role.Names {
		password, _ := url.Parse(first.UserURL(name))
		urls[name], _ = password.User.Password()
	}
	first.Close()
	again := open(t, config)
	for name, password := range urls {
		if !strings.Contains(again.UserURL(name), password) {
			t.Errorf("%s has another password after a restart", name)
		}
		if strings.Contains(log.String(), password) || strings.Contains(again.ClientURL(), password) {
			t.Errorf("the password of %s is shown", name)
		}
	}
	again.Close()
	if err := os.Chmod(filepath.Join(config.Embedded.Dir, role.FileName), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, config, "nats-users has the mode 0644")
}

// TestEveryFileOfTheStoreIsPrivate: requests and results have names and numbers.
func TestEveryFileOfTheStoreIsPrivate(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Embedded.Dir = filepath.Join(config.Embedded.Dir, "data")
	useAll(t, open(t, config))
	info, err := os.Stat(config.Embedded.Dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has the mode %v: %v", info.Mode().Perm(), err)
	}
	for _, name := range []string{role.FileName, "callbridge.lock"} {
		info, err := os.Stat(filepath.Join(config.Embedded.Dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v: %v", name, info.Mode().Perm(), err)
		}
	}
}

func TestTLSOfTheEmbeddedServer(t *testing.T) {
	t.Parallel()
	authority := testkit.NewAuthority(t)
	config := embedded(t)
	config.Embedded.CertFile, config.Embedded.KeyFile = authority.Issue("nats")
	b := open(t, config)
	if err := testkit.Connect(t, b.UserURL(role.Results), nats.RootCAs(authority.File)).Flush(); err != nil {
		t.Error(err)
	}
	if conn, err := nats.Connect(b.UserURL(role.Results)); err == nil {
		conn.Close()
		t.Error("connected without the authority")
	}
	elsewhere := embedded(t)
	elsewhere.URL, elsewhere.Auth.CAFile = b.UserURL(role.Bridge), authority.File
	works(t, elsewhere)
}

func TestBeyondLoopbackWithoutTLSIsSaidLoudly(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	config.Embedded.Listen, config.Embedded.User, config.Embedded.Password = "0.0.0.0:0", "sub", "secret"
	var log testkit.Log
	config.Log = log.Logger()
	open(t, config)
	if !strings.Contains(log.String(), "nats.without_tls") {
		t.Errorf("the log does not warn:\n%s", log.String())
	}
}
