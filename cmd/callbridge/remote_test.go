package main

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus/bustest"
	"callbridge/event"
)

// leastNATS is a server with the users of docs/nats.md and no others.
func leastNATS(t *testing.T) *server.Server {
	t.Helper()
	page, err := os.ReadFile("../../docs/nats.md")
	if err != nil {
		t.Fatal(err)
	}
	users := regexp.MustCompile("(?s)```conf\n(.*?)```").FindSubmatch(page)
	if users == nil {
		t.Fatal("docs/nats.md has no configuration")
	}
	options := &server.Options{}
	passwords := "BRIDGE_PASSWORD: secret\nSERVICE_PASSWORD: secret\nADMINISTRATOR_PASSWORD: secret\n"
	if err := options.ProcessConfigString("listen: \"127.0.0.1:-1\"\n" + passwords + string(users[1])); err != nil {
		t.Fatal(err)
	}
	options.JetStream, options.StoreDir = true, t.TempDir()
	return bustest.Server(t, options)
}

// makeStreams does what an administrator does with the output of `streams`.
func makeStreams(t *testing.T, s *server.Server, output string) {
	t.Helper()
	var d struct {
		Streams   []jetstream.StreamConfig
		Consumers []struct {
			Stream string `json:"stream_name"`
			Config jetstream.ConsumerConfig
		}
	}
	if err := json.Unmarshal([]byte(output), &d); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(s.ClientURL(), nats.UserInfo("administrator", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range d.Streams {
		if _, err := js.CreateStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range d.Consumers {
		if _, err := js.CreateConsumer(t.Context(), c.Stream, c.Config); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebhookToResultWithTheLeastPermissions: the process may do what
// docs/nats.md lists, and the one who listens may only listen.
func TestWebhookToResultWithTheLeastPermissions(t *testing.T) {
	t.Parallel()
	for user, manage := range map[string]string{"bridge": "true", "bridge-checked": "false"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			s := leastNATS(t)
			if manage == "false" {
				code, out, errs := callbridge(t, "", "streams", "-o", "json")
				if code != 0 {
					t.Fatalf("exit code %d: %s", code, errs)
				}
				makeStreams(t, s, out)
			}
			w := newWorld(t, map[string]string{
				"NATS_URL": s.ClientURL(), "NATS_USER": user, "NATS_PASSWORD": "secret", "NATS_MANAGE": manage,
				"DIAL_RATE": "50", "DIAL_ACK_WAIT": "30s", "DIAL_CLAIM_AGE": "40s",
			})
			w.website(exampleBody(t, "website-lost-answer.json"))
			if r := w.result(); r.Outcome != event.Accepted || r.Reason != event.ReasonFound {
				t.Errorf("ended %s (%s: %s); log:\n%s", r.Outcome, r.Reason, r.Detail, w.logs)
			}
			if !w.ready() {
				t.Error("not ready")
			}
			if refused := regexp.MustCompile(`.*(?i:permissions violation).*`).FindString(w.logs.String()); refused != "" {
				t.Errorf("NATS has refused something: %s", refused)
			}
		})
	}
}

func TestStreamsPrintsAScript(t *testing.T) {
	t.Parallel()
	code, out, errs := callbridge(t, "", "streams")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	step := regexp.MustCompile(`(?s)cat > (\S+) <<'END'\n(.*?)END\nnats (stream|consumer) add ([A-Z_]+(?: [a-z]+)?) --config (\S+)\n`)
	steps := step.FindAllStringSubmatch(out, -1)
	if len(steps) != 6 {
		t.Fatalf("%d steps, want four streams and two consumers:\n%s", len(steps), out)
	}
	for _, m := range steps {
		if m[1] != m[5] || !json.Valid([]byte(m[2])) {
			t.Errorf("%s %s: file %s, config %s:\n%s", m[3], m[4], m[1], m[5], m[2])
		}
	}
}
