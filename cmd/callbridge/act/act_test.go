package act_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/cmd/callbridge/act"
)

// bridge is an embedded bus, and what the commands take from the environment beside it.
func bridge(t *testing.T) (*bus.Bus, act.Settings) {
	t.Helper()
	config := bustest.Config(t)
	b := bustest.Open(t, config)
	return b, func(context.Context) (bus.Config, error) {
		client := bustest.Remote("")
		client.Embedded = bus.Embedded{Dir: config.Embedded.Dir, Listen: strings.TrimPrefix(b.ClientURL(), "nats://")}
		return client, nil
	}
}

// run executes a command and returns what it printed, or its error.
func run(t *testing.T, cmd *cobra.Command, in string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		return out.String() + "error: " + err.Error()
	}
	return out.String()
}

func TestStopAndResume(t *testing.T) {
	t.Parallel()
	b, settings := bridge(t)
	stop := func(args ...string) string { return run(t, act.NewStop(settings, configuration), "", args...) }
	resume := func(args ...string) string { return run(t, act.NewResume(settings), "", args...) }
	for _, c := range []struct{ got, want string }{
		{resume(), "error: nothing is stopped"},
		{stop("list"), "nothing is stopped"},
		{stop(), "error: --why is empty"},
		{stop("--why", "x", "--until", "yesterday"), `error: --until "yesterday" is no time`},
		{stop("--why", "x", "--until", "2020-01-01T00:00:00Z"), "is not in the future"},
		{stop("--why", "x", "--country", "Germany"), "write its two capital letters"},
		{stop("--why", "x", "-o", "yaml"), "it is text or json"},
		{stop("--why", "wrong price", "--by", "ada", "--source", "crm", "--until", "2h"), "stopped: source crm, by ada since "},
		{stop("--why", "complaint", "--by", "bob"), "stopped: everything, by bob since "},
		{stop("list"), ": wrong price\nstopped: everything"},
		{resume("--source", "shop"), "error: it is not clear which stop is meant: stopped are source crm; everything"},
		{resume("--all", "--source", "crm"), "error: --all ends every stop"},
		{resume("--source", "crm"), "resumed: source crm, stopped by ada"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
	var printed struct{ Resumed []map[string]any }
	if err := json.Unmarshal([]byte(resume("-o", "json")), &printed); err != nil || len(printed.Resumed) != 1 || printed.Resumed[0]["why"] != "complaint" {
		t.Errorf("resume -o json: %v, %v", printed, err)
	}
	if stops, err := b.Stopped(t.Context(), control.Scope{Source: "crm"}); len(stops) > 0 || err != nil {
		t.Errorf("after resume: stopped %v, %v", stops, err)
	}
}

func TestANATSThatIsNotThereIsExplained(t *testing.T) {
	t.Parallel()
	_, settings := bridge(t)
	if got := run(t, act.NewStop(settings, configuration), "", "--why", "x", "--nats", "nats://127.0.0.1:1"); !strings.Contains(got, "is `callbridge serve` running") {
		t.Errorf("printed %q", got)
	}
}
