package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"callbridge/bus/bustest"
	"callbridge/bus/role"
	"callbridge/demo"
	"callbridge/internal/testkit"
)

// TestResultsFindsThePasswordByItself runs the command with the environment of the
// process, as a person does on the same machine.
func TestResultsFindsThePasswordByItself(t *testing.T) {
	address := fmt.Sprint("127.0.0.1:", bustest.Port(t))
	b := startBridge(t, map[string]string{"NATS_LISTEN": address})
	b.website(exampleBody(t, "website-lead.json"))
	b.result()
	t.Setenv("NATS_LISTEN", address)
	t.Setenv("NATS_STORE_DIR", b.dir)
	for _, arguments := range [][]string{{"results"}, {"results", "--nats", "nats://" + address}} {
		testkit.Eventually(t, strings.Join(arguments, " ")+" prints the result", func() bool {
			code, out, _ := callbridge(t, "", arguments...)
			return code == 0 && strings.Contains(out, "lead-1001")
		})
	}
	if err := os.Chmod(filepath.Join(b.dir, "nats-users"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := callbridge(t, "", "results"); code != 1 || !strings.Contains(errs, "has the mode 0644") {
		t.Errorf("with a file that others can read: exit code %d: %s", code, errs)
	}
	t.Setenv("NATS_STORE_DIR", t.TempDir())
	if code, _, errs := callbridge(t, "", "results"); code != 1 || !strings.Contains(errs, "set NATS_STORE_DIR to its directory") {
		t.Errorf("without the file: exit code %d: %s", code, errs)
	}
}

// TestTheDemoPrintsLinesThatWork uses the addresses that the demo tells.
func TestTheDemoPrintsLinesThatWork(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	var out bytes.Buffer
	demo.NewPrinter(&out).Invite(b.process.public.URL(), b.process.bus.UserURL(role.Reader), b.process.bus.UserURL(role.Results))
	subscribe := regexp.MustCompile(`nats sub -s (nats://results:\S+) '(\S+)'`).FindStringSubmatch(out.String())
	results := regexp.MustCompile(`results -f --nats (\S+)`).FindStringSubmatch(out.String())
	if subscribe == nil || results == nil {
		t.Fatalf("the demo prints\n%s", out.String())
	}
	heard := testkit.Subscribe(t, testkit.Connect(t, subscribe[1]), subscribe[2])
	b.website(exampleBody(t, "website-lead.json"))
	testkit.Next(t, heard)
	testkit.Eventually(t, "results prints the result", func() bool {
		code, out, _ := callbridge(t, "", "results", "--nats", results[1])
		return code == 0 && strings.Contains(out, "lead-1001")
	})
}

// TestTheReadmesLineForSubscribersWorks takes the user from the file as grep does.
func TestTheReadmesLineForSubscribersWorks(t *testing.T) {
	t.Parallel()
	if !strings.Contains(testkit.Read(t, "README.md"), `nats sub -s "nats://$(grep ^results: data/nats-users)@127.0.0.1:4222" 'callbridge.result.>'`) {
		t.Error("the README has another line")
	}
	b := startBridge(t, nil)
	content, err := os.ReadFile(filepath.Join(b.dir, "nats-users"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^results:.*$`).FindString(string(content))
	conn := testkit.Connect(t, strings.Replace(b.process.bus.ClientURL(), "nats://", "nats://"+line+"@", 1))
	testkit.Subscribe(t, conn, "callbridge.result.>")
	if conn.LastError() != nil {
		t.Error(conn.LastError())
	}
	if anonymous, err := nats.Connect(b.process.bus.ClientURL()); err == nil {
		anonymous.Close()
		t.Error("a process without a password is let in")
	}
}
