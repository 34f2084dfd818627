package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callbridge/bus"
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
			if code, out, errs := callbridge(t, "", "streams"); code != 0 || strings.Count(out, "nats stream add ") != len(defined.Streams) {
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

// natsCommand replaces the nats command in a test. It writes its arguments to the file CALLS,
// and fails if they match FAIL.
const natsCommand = `#!/bin/sh
echo "$*" >> "$CALLS"
! echo "$*" | grep -q "$FAIL"
`

// defined are the streams and consumers that are made.
var defined = bus.Define(bus.Config{Prefix: "callbridge", Replicas: 1, Retention: 168 * time.Hour, AckWait: time.Minute})

// ranScript runs the script of streams, and returns the commands that change something.
func ranScript(t *testing.T, fail string) (changes []string, err error) {
	t.Helper()
	code, script, errs := callbridge(t, "", "streams")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	if err := os.WriteFile(filepath.Join(dir, "nats"), []byte(natsCommand), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "sh")
	command.Dir, command.Stdin = dir, strings.NewReader(script)
	command.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CALLS="+calls, "FAIL="+fail)
	err = command.Run()
	content, errRead := os.ReadFile(calls)
	if errRead != nil {
		t.Fatal(errRead)
	}
	for _, line := range strings.Split(string(content), "\n") {
		if strings.Contains(line, " add ") || strings.Contains(line, " edit ") {
			changes = append(changes, line)
		}
	}
	for _, file := range regexp.MustCompile(`--config (\S+)`).FindAllStringSubmatch(script, -1) {
		if content, err := os.ReadFile(filepath.Join(dir, file[1])); err == nil && !json.Valid(content) {
			t.Errorf("%s is no JSON", file[1])
		}
	}
	return changes, err
}

// TestTheScriptOfStreams makes what is missing, changes what is there, and stops at the
// first error with an exit code.
func TestTheScriptOfStreams(t *testing.T) {
	t.Parallel()
	all := len(defined.Streams) + len(defined.Consumers)
	const ledger = "stream add CALLBRIDGE_LEDGER --config CALLBRIDGE_LEDGER.json"
	if made, err := ranScript(t, " info "); err != nil || len(made) != all || !slices.Contains(made, ledger) {
		t.Errorf("on an empty server: %v\n%s", err, strings.Join(made, "\n"))
	}
	const dispatch = "consumer edit CALLBRIDGE_REQUESTS dispatch --force --config CALLBRIDGE_REQUESTS.dispatch.json"
	if changed, err := ranScript(t, "nothing"); err != nil || len(changed) != all || !slices.Contains(changed, dispatch) {
		t.Errorf("again: %v\n%s", err, strings.Join(changed, "\n"))
	}
	if changed, err := ranScript(t, " edit CALLBRIDGE_LEDGER"); err == nil || !strings.Contains(changed[len(changed)-1], " edit CALLBRIDGE_LEDGER ") {
		t.Errorf("it does not stop at the ledger: %v\n%s", err, strings.Join(changed, "\n"))
	}
	if changed, err := ranScript(t, "stream ls"); err == nil || len(changed) > 0 {
		t.Errorf("it goes on without NATS: %v\n%s", err, strings.Join(changed, "\n"))
	}
}

// TestStreamsApply runs the command as an administrator: new, again, and with another
// RETENTION, which --dry-run only prints.
func TestStreamsApply(t *testing.T) {
	s := startNATS(t)
	t.Setenv("NATS_URL", s.ClientURL())
	t.Setenv("NATS_USER", "administrator")
	t.Setenv("NATS_PASSWORD", "secret")
	for _, c := range []struct{ retention, arguments, first string }{
		{"168h", "", "make    stream CALLBRIDGE_REQUESTS\n"},
		{"240h", "--dry-run", "change  stream CALLBRIDGE_LEDGER: max_age = 336h0m0s, will be 480h0m0s\n"},
		{"240h", "", "change  stream CALLBRIDGE_LEDGER: max_age = 336h0m0s, will be 480h0m0s\n"},
		{"240h", "-o=json", `{"stream":"CALLBRIDGE_LEDGER","action":"keep"}` + "\n"},
	} {
		t.Setenv("RETENTION", c.retention)
		code, out, errs := callbridge(t, "", append([]string{"streams", "apply"}, strings.Fields(c.arguments)...)...)
		if code != 0 || !strings.HasPrefix(out, c.first) {
			t.Errorf("RETENTION=%s streams apply %s: exit code %d: %s\n%s", c.retention, c.arguments, code, errs, out)
		}
	}
	t.Setenv("NATS_USER", "service")
	if code, _, errs := callbridge(t, "", "streams", "apply"); code != 1 || !strings.Contains(errs, "needs the role administrator") {
		t.Errorf("as another user: exit code %d: %s", code, errs)
	}
	t.Setenv("NATS_URL", "")
	if code, _, errs := callbridge(t, "", "streams", "apply"); code != 1 || !strings.Contains(errs, "NATS_URL is not set") {
		t.Errorf("without an address: exit code %d: %s", code, errs)
	}
}
