package main

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/sethvargo/go-envconfig"

	"callbridge/internal/testkit"
)

// TestConnectionThatIsClosedForGoodEndsTheProcess: the client does not connect again after
// some errors of the server, such as the one about a subject that is too long.
func TestConnectionThatIsClosedForGoodEndsTheProcess(t *testing.T) {
	t.Parallel()
	p, err := startWith(t, map[string]string{"NATS_URL": runNATS(t, t.TempDir(), -1).ClientURL()}, &testkit.Log{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.run(context.Background()) }()
	if err := p.bus.Conn().Publish(strings.Repeat("x", 5000), nil); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Next(t, ended); err == nil || !strings.Contains(err.Error(), "closed the connection for good") {
		t.Errorf("ended with %v", err)
	}
}

// startWith starts a process with the example configuration, without a bridge's fixture.
func startWith(t *testing.T, change map[string]string, log *testkit.Log) (*process, error) {
	t.Helper()
	env := environment(t, "http://127.0.0.1:1")
	maps.Copy(env, change)
	s, err := loadSettings(t.Context(), envconfig.MapLookuper(env))
	if err != nil {
		t.Fatal(err)
	}
	config, err := exampleConfig()
	if err != nil {
		t.Fatal(err)
	}
	return start(t.Context(), s, fixed(config), log.Logger())
}
