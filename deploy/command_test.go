package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
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
	"callbridge/bus/bustest"
	"callbridge/bus/dnc"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// A command of the pages needs a role; the role below it may not run it.
type command struct {
	role, below string
	run         func(*actor) error
}

// commands are those that the pages name, by their first words. What the nats command
// does is done with the same requests.
var commands = map[string]command{
	"nats sub":                           {role.Results, role.Producer, (*actor).subscribe},
	"nats req":                           {role.Operator, role.Reader, (*actor).request},
	"nats stream info":                   {role.Operator, role.Reader, (*actor).info},
	"nats stream get":                    {role.Operator, role.Reader, (*actor).get},
	"nats stream backup":                 {role.Administrator, role.Operator, (*actor).backup},
	"nats stream rm":                     {role.Administrator, role.Operator, (*actor).remove},
	"nats stream restore":                {role.Administrator, role.Operator, (*actor).restore},
	"nats stream rmm":                    {role.Administrator, role.Operator, (*actor).removeMessage},
	"callbridge results":                 {role.Reader, role.Results, callbridge("results")},
	"callbridge stop":                    {role.Operator, role.Reader, callbridge("stop", "--why", "test")},
	"callbridge stop list":               {role.Reader, role.Results, callbridge("stop", "list")},
	"callbridge resume":                  {role.Operator, role.Reader, (*actor).resumeCalls},
	"callbridge dnc add":                 {role.Operator, role.Reader, callbridge("dnc", "add", "+12025550142", "--why", "test")},
	"callbridge dnc remove":              {role.Operator, role.Reader, callbridge("dnc", "remove", "+12025550142", "--why", "test")},
	"callbridge dnc check":               {role.Operator, role.Reader, callbridge("dnc", "check", "+12025550142")},
	"callbridge dnc import":              {role.Operator, role.Reader, (*actor).importNumbers},
	"callbridge dnc export":              {role.Operator, role.Reader, callbridge("dnc", "export")},
	"callbridge person":                  {role.Operator, role.Reader, callbridge("person", "-c", "../docs/examples/new-lead/callbridge.yaml", "+12025550142")},
	"callbridge why":                     {role.Operator, role.Reader, callbridge("why", "-c", "../docs/examples/new-lead/callbridge.yaml", "lead-1")},
	"callbridge replay plan":             {role.Operator, role.Reader, callbridge("replay", "plan", "-c", "../docs/examples/new-lead/callbridge.yaml")},
	"callbridge find":                    {role.Reader, role.Results, callbridge("find")},
	"callbridge audit":                   {role.Reader, role.Results, callbridge("audit")},
	"callbridge streams apply":           {role.Administrator, role.Operator, callbridge("streams", "apply")},
	"callbridge streams acknowledge":     {role.Operator, role.Reader, (*actor).acknowledge},
	"callbridge streams apply --dry-run": {role.Operator, role.Reader, callbridge("streams", "apply", "--dry-run")},
}

// TestEveryCommandWorksWithItsRole on a server with the accounts of deploy/nats, and
// not with the role below.
func TestEveryCommandWorksWithItsRole(t *testing.T) {
	passwords(t)
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		t.Run(name, func(t *testing.T) {
			c := commands[name]
			url := populated(t)
			for _, who := range []string{c.below, c.role} {
				a := &actor{t: t, role: who, url: url}
				err := c.run(a)
				if who == c.role && err != nil {
					t.Errorf("%s cannot: %v", who, err)
				}
				if who == c.below && err == nil {
					t.Errorf("%s may do it, too", who)
				}
			}
		})
	}
}

// TestPagesNameTheRoleOfEachCommand, and use no command that the test above does not
// run.
func TestPagesNameTheRoleOfEachCommand(t *testing.T) {
	t.Parallel()
	// The code of a page is indented.
	code := regexp.MustCompile(`(?m)^ {4,}(?:NATS_\w+=\S+ .*)?(?:nats|callbridge) .*$`)
	named := regexp.MustCompile(`--context (\w+)|NATS_USER=(\w+)|nats://(\w+):|grep \^(\w+):`)
	found := 0
	for _, page := range []string{"README.md", "docs/deploy.md", "docs/nats.md", "docs/operations.md", "docs/decisions/0003-dialling-once.md"} {
		for _, text := range code.FindAllString(testkit.Read(t, page), -1) {
			name := commandOf(text)
			if name == "" {
				continue
			}
			found++
			c, ok := commands[name]
			if !ok {
				t.Errorf("%s: no test runs %q", page, strings.TrimSpace(text))
			}
			if m := named.FindStringSubmatch(text); m == nil || !slices.Contains([]string{c.role, role.Administrator}, strings.Join(m[1:], "")) {
				t.Errorf("%s: %q does not name the role %s", page, strings.TrimSpace(text), c.role)
			}
		}
	}
	if found < 8 {
		t.Errorf("the pages have %d commands", found)
	}
}

// commandOf is the name in commands of a line of code, and empty if it needs no role.
func commandOf(text string) string {
	text = regexp.MustCompile(`^\s*(NATS_\w+=\S+ |RETENTION=\S+ )*|--context \w+ |-s \S+ |-s "[^"]+" `).ReplaceAllString(text, "")
	words := append(strings.Fields(text), "", "", "")
	switch {
	case words[0] == "nats" && words[1] == "context", words[0] == "callbridge" && !slices.Contains([]string{"results", "streams", "stop", "resume", "dnc", "audit", "person", "why", "find", "replay"}, words[1]):
		return ""
	case words[1] == "streams" && !regexp.MustCompile(`^[a-z]+$`).MatchString(words[2]):
		return "" // it only prints
	case strings.Contains(text, "streams apply --dry-run"):
		return "callbridge streams apply --dry-run"
	case words[1] == "stream" || words[1] == "streams" || words[1] == "consumer" || words[1] == "dnc" || words[1] == "replay" || words[1] == "stop" && words[2] == "list":
		return strings.Join(words[:3], " ")
	}
	return words[0] + " " + words[1]
}

// actor runs commands as a role. Its API requests are those of the nats command.
type actor struct {
	t         *testing.T
	role, url string
}

// populated starts a server with the streams and a record in the ledger.
func populated(t *testing.T) (url string) {
	t.Helper()
	o := configured(t, "nats/single.conf")
	o.Port, o.HTTPPort, o.StoreDir = server.RANDOM_PORT, 0, t.TempDir()
	url = bustest.Server(t, o).ClientURL()
	config := bustest.Remote(url)
	config.Auth.User, config.Auth.Password = role.Bridge, "demo-bridge-password"
	config.PersonKeyFile = filepath.Join(t.TempDir(), "person-key")
	if err := os.WriteFile(config.PersonKeyFile, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	b := bustest.Open(t, config)
	answerRequests(t, b, url)
	if _, err := b.Ledger().Put(t.Context(), recorded, []byte("{}"), 0); err != nil {
		t.Fatal(err)
	}
	e := event.Event{ID: event.EventID("website", "lead-1"), Source: "website", Key: "lead-1", Data: []byte(`{"id":"lead-1"}`)}
	result := event.Result{RequestID: event.RequestID(e.ID, ""), Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: e}
	if _, err := b.Store(t.Context(), "", event.Item{Result: &result}); err != nil {
		t.Fatal(err)
	}
	return url
}

// answerRequests has a bridge answer requests about the do-not-call list.
func answerRequests(t *testing.T, b *bus.Bus, url string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := b.ServeDNC(ctx, func(text string) (event.Phone, error) { return event.Phone(text), nil }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
	operator := bustest.Remote(url)
	operator.Auth.User, operator.Auth.Password = role.Operator, "demo-operator-password"
	testkit.Eventually(t, "the bridge answers", func() bool {
		return bus.AskDNC(t.Context(), operator, func(ctx context.Context, c dnc.Client) error {
			_, err := c.Ask(ctx, dnc.VerbCheck, dnc.Request{Numbers: []string{"+12025550142"}})
			return err
		}) == nil
	})
}

var recorded = uuid.MustParse("3c90c3cc-0d44-4b50-8888-8dd25736052a")

// work calls fn with a connection of the role. What NATS refuses ends it.
func (a *actor) work(fn func(context.Context, *nats.Conn, jetstream.JetStream) error) error {
	ctx, cancel := context.WithTimeout(a.t.Context(), 20*time.Second)
	defer cancel()
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	conn := testkit.Connect(a.t, a.url, nats.UserInfo(a.role, "demo-"+a.role+"-password"), nats.CustomInboxPrefix(role.Inbox(a.role)),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refuse(err) }))
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	if err := fn(ctx, conn, js); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	return conn.LastError()
}

// api sends a request as the nats command does, after those with which it finds the
// stream.
func (a *actor) api(request string, body, answer any) error {
	return a.work(func(ctx context.Context, conn *nats.Conn, _ jetstream.JetStream) error {
		for _, subject := range []string{"$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.CALLBRIDGE_LEDGER", request} {
			var data []byte
			if subject == request && body != nil {
				var err error
				if data, err = json.Marshal(body); err != nil {
					return err
				}
			}
			m, err := conn.RequestWithContext(ctx, subject, data)
			if err != nil {
				return fmt.Errorf("%s: %w", subject, err)
			}
			var failed struct{ Error *server.ApiError }
			if err := errors.Join(json.Unmarshal(m.Data, &failed), json.Unmarshal(m.Data, answer)); err != nil {
				return err
			}
			if failed.Error != nil {
				return fmt.Errorf("%s: %w", subject, failed.Error)
			}
		}
		return nil
	})
}

// resume ends a stop that an operator has made.
func (a *actor) resumeCalls() error {
	operator := &actor{t: a.t, role: role.Operator, url: a.url}
	if err := callbridge("stop", "--why", "test")(operator); err != nil {
		return err
	}
	return callbridge("resume")(a)
}

func (a *actor) importNumbers() error {
	file := filepath.Join(a.t.TempDir(), "numbers.csv")
	if err := os.WriteFile(file, []byte("+12025550142\n"), 0o600); err != nil {
		return err
	}
	return callbridge("dnc", "import", file, "--why", "test")(a)
}

func (a *actor) subscribe() error {
	return a.work(func(_ context.Context, conn *nats.Conn, _ jetstream.JetStream) error {
		_, err := conn.SubscribeSync("callbridge.result.>")
		return err
	})
}

func (a *actor) request() error {
	return a.work(func(ctx context.Context, _ *nats.Conn, js jetstream.JetStream) error {
		_, err := js.Publish(ctx, "callbridge.request.website."+uuid.NewString()+".ready", []byte("{}"))
		return err
	})
}

func (a *actor) info() error {
	return a.work(func(ctx context.Context, _ *nats.Conn, js jetstream.JetStream) error {
		list := js.ListStreams(ctx)
		for range list.Info() {
		}
		if err := list.Err(); err != nil {
			return err
		}
		_, err := js.Stream(ctx, "CALLBRIDGE_REQUESTS")
		return err
	})
}

func (a *actor) get() error {
	var answer any
	return a.api("$JS.API.STREAM.MSG.GET.CALLBRIDGE_LEDGER", map[string]any{"last_by_subj": "callbridge.ledger." + recorded.String()}, &answer)
}

func (a *actor) remove() error {
	var answer any
	return a.api("$JS.API.STREAM.DELETE.CALLBRIDGE_LEDGER", nil, &answer)
}

func (a *actor) removeMessage() error {
	a.asBridge("callbridge.result.accepted.website."+uuid.NewString(), "{}")
	var answer any
	return a.api("$JS.API.STREAM.MSG.DELETE.CALLBRIDGE_RESULTS", map[string]any{"seq": 1}, &answer)
}

func (a *actor) backup() error {
	_, _, err := a.snapshot()
	return err
}

// snapshot reads a stream.
func (a *actor) snapshot() (state json.RawMessage, chunks [][]byte, err error) {
	err = a.work(func(ctx context.Context, conn *nats.Conn, _ jetstream.JetStream) error {
		inbox := conn.NewInbox()
		delivered, err := conn.SubscribeSync(inbox)
		if err != nil {
			return err
		}
		request, err := json.Marshal(map[string]any{"deliver_subject": inbox, "chunk_size": 128 << 10})
		if err != nil {
			return err
		}
		m, err := conn.RequestWithContext(ctx, "$JS.API.STREAM.SNAPSHOT.CALLBRIDGE_LEDGER", request)
		if err != nil {
			return err
		}
		var answer struct{ State json.RawMessage }
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return err
		}
		state = answer.State
		for {
			chunk, err := delivered.NextMsgWithContext(ctx)
			if err != nil || len(chunk.Data) == 0 {
				return err
			}
			chunks = append(chunks, chunk.Data)
			if chunk.Reply != "" {
				_ = chunk.Respond(nil) // its refusal is an error of the connection
			}
		}
	})
	return state, chunks, err
}

// restore deletes a stream and makes it again from a backup.
func (a *actor) restore() error {
	administrator := &actor{a.t, role.Administrator, a.url}
	state, chunks, err := administrator.snapshot()
	if err != nil {
		a.t.Fatal(err)
	}
	config := bustest.Remote(a.url)
	definition := bus.Define(config).Streams[1]
	if a.role == role.Administrator { // the role below it restores nothing
		if err := a.remove(); err != nil {
			return err
		}
	}
	return a.work(func(ctx context.Context, conn *nats.Conn, _ jetstream.JetStream) error {
		request, err := json.Marshal(map[string]any{"config": definition, "state": state})
		if err != nil {
			return err
		}
		m, err := conn.RequestWithContext(ctx, "$JS.API.STREAM.RESTORE."+definition.Name, request)
		if err != nil {
			return err
		}
		var answer struct {
			Deliver string `json:"deliver_subject"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return err
		}
		for _, chunk := range append(chunks, nil) {
			if m, err = conn.RequestWithContext(ctx, answer.Deliver, chunk); err != nil {
				return err
			}
		}
		if strings.Contains(string(m.Data), `"error"`) {
			return errors.New(string(m.Data))
		}
		return nil
	})
}

// asBridge publishes a message as the bridge does.
func (a *actor) asBridge(subject, data string) {
	bridge := testkit.Connect(a.t, a.url, nats.UserInfo(role.Bridge, "demo-bridge-password"), nats.CustomInboxPrefix("_INBOX_callbridge"))
	defer bridge.Close()
	if _, err := bridge.Request(subject, []byte(data), 20*time.Second); err != nil {
		a.t.Fatal(err)
	}
}

// acknowledge writes a loss as the bridge does, and acknowledges it.
func (a *actor) acknowledge() error {
	lost := fmt.Sprintf(`{"problems":[{"at":%q,"stream":"CALLBRIDGE_LEDGER","kind":"lost"}]}`, time.Now().UTC().Format(time.RFC3339Nano))
	a.asBridge("callbridge.state.streams", lost)
	return callbridge("streams", "acknowledge", "--why", "a test")(a)
}

// callbridge runs a command of the binary. RETENTION differs from that of the streams.
func callbridge(arguments ...string) func(*actor) error {
	return func(a *actor) error {
		c := exec.CommandContext(a.t.Context(), binary, arguments...)
		c.Env = []string{"NATS_URL=" + a.url, "NATS_USER=" + a.role, "NATS_PASSWORD=demo-" + a.role + "-password", "RETENTION=336h"}
		out, err := c.CombinedOutput()
		if err != nil && !strings.Contains(string(out), "this command needs the role ") {
			a.t.Errorf("%s does not say which role it needs: %s", strings.Join(arguments, " "), out)
		}
		return err
	}
}
