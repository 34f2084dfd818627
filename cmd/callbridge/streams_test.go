package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/bus/bustest"
	"callbridge/bus/stream"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// TestStreamsRefusesTheSettingsThatServeRefuses: otherwise an administrator would create streams with
// which serve does not start. It sets environment variables and is therefore not parallel.
func TestStreamsRefusesTheSettingsThatServeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"replicas":        {map[string]string{"NATS_REPLICAS": "2"}, "NATS_REPLICAS 2 is none of 1, 3, 5"},
		"short retention": {map[string]string{"RETENTION": "1h"}, "RETENTION 1h0m0s is too short"},
		"no prefix":       {map[string]string{"NATS_SUBJECT_PREFIX": ""}, "NATS_SUBJECT_PREFIX"},
		"odd prefix":      {map[string]string{"NATS_SUBJECT_PREFIX": "call bridge; reboot"}, "NATS_SUBJECT_PREFIX"},
		"wildcard":        {map[string]string{"NATS_SUBJECT_PREFIX": "callbridge.>"}, "NATS_SUBJECT_PREFIX"},
		"no ack wait":     {map[string]string{"DIAL_ACK_WAIT": "0s"}, "DIAL_ACK_WAIT"},
		"long ack wait":   {map[string]string{"DIAL_ACK_WAIT": "10m"}, "DIAL_ACK_WAIT"},
		"not a number":    {map[string]string{"NATS_REPLICAS": "three"}, "NATS_REPLICAS"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			if code, out, errs := callbridge(t, "", "streams"); code != 1 || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("exit code %d, printed %d bytes, %q; want %q refused", code, len(out), errs, c.want)
			}
		})
	}
}

// TestStreamsNeedsNoAddress: an administrator may not know it yet.
func TestStreamsNeedsNoAddress(t *testing.T) {
	for _, env := range []map[string]string{
		{"NATS_REPLICAS": "3"},
		{"NATS_MANAGE": "false"},
		{"NATS_MANAGE": "false", "NATS_REPLICAS": "3", "NATS_URL": "nats://n1:4222,nats://n2:4222", "NATS_SUBJECT_PREFIX": "acme.call-bridge"},
	} {
		t.Run(fmt.Sprint(env), func(t *testing.T) {
			for variable, value := range env {
				t.Setenv(variable, value)
			}
			if code, out, errs := callbridge(t, "", "streams"); code != 0 || strings.Count(out, "nats stream add ") != 4 {
				t.Errorf("exit code %d: %s\n%s", code, errs, out)
			}
		})
	}
}

// startNATS starts a server with the users of docs/nats.md and no others.
func startNATS(t *testing.T) *server.Server {
	t.Helper()
	options := &server.Options{}
	if err := options.ProcessConfigString("listen: \"127.0.0.1:-1\"\n" + testkit.DocumentedUsers(t)); err != nil {
		t.Fatal(err)
	}
	options.JetStream, options.StoreDir = true, t.TempDir()
	return bustest.Server(t, options)
}

// makeStreams creates the streams and consumers that `streams` printed, as an administrator.
func makeStreams(t *testing.T, s *server.Server, output string) {
	t.Helper()
	var d stream.Definitions
	if err := json.Unmarshal([]byte(output), &d); err != nil {
		t.Fatal(err)
	}
	bustest.Create(t, testkit.JetStream(t, s.ClientURL(), nats.UserInfo("administrator", "secret")), d)
}

// TestWebhookToResultWithTheLeastPermissions starts the process as a user with the
// permissions of docs/nats.md, and the subscriber as one that may only subscribe.
func TestWebhookToResultWithTheLeastPermissions(t *testing.T) {
	t.Parallel()
	for user, manage := range map[string]string{"bridge": "true", "bridge-checked": "false"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			s := startNATS(t)
			if manage == "false" {
				code, out, errs := callbridge(t, "", "streams", "-o", "json")
				if code != 0 {
					t.Fatalf("exit code %d: %s", code, errs)
				}
				makeStreams(t, s, out)
			}
			b := startBridge(t, map[string]string{
				"NATS_URL": s.ClientURL(), "NATS_USER": user, "NATS_PASSWORD": "secret", "NATS_MANAGE": manage,
				"DIAL_RATE": "50", "DIAL_ACK_WAIT": "30s", "DIAL_CLAIM_AGE": "40s",
			})
			b.website(exampleBody(t, "website-lost-answer.json"))
			if r := b.result(); r.Outcome != event.Accepted || r.Reason != event.ReasonFound {
				t.Errorf("ended %s (%s: %s); log:\n%s", r.Outcome, r.Reason, r.Detail, b.logs)
			}
			if !b.ready() {
				t.Error("not ready")
			}
			if refused := regexp.MustCompile(`.*(?i:permissions violation).*`).FindString(b.logs.String()); refused != "" {
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
