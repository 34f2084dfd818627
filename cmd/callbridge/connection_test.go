package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"callbridge/bus/bustest"
	"callbridge/demo"

	"callbridge/internal/testkit"
	"callbridge/mapping"
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

// TestStartWaitsForNATS: after a power cut the machines of NATS start later than ours.
func TestStartWaitsForNATS(t *testing.T) {
	t.Parallel()
	admin, port := fmt.Sprint("127.0.0.1:", bustest.Port(t)), bustest.Port(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var log testkit.Log
	s, config := settingsWith(t, map[string]string{"ADMIN_ADDR": admin, "NATS_URL": fmt.Sprint("nats://127.0.0.1:", port), "NATS_WAIT": "2m"})
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, s, fixed(config), log.Logger()) }()

	testkit.Eventually(t, "the reason in /readyz", func() bool { return strings.Contains(askServer(admin, "/readyz"), "NATS_URL cannot be reached") })
	if got := testkit.Get(t, "http://"+admin+"/readyz").Status; got != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", got)
	}
	if got := testkit.Get(t, "http://"+admin+"/livez").Status; got != http.StatusOK {
		t.Errorf("/livez answers %d", got)
	}
	runNATS(t, t.TempDir(), port)
	testkit.Eventually(t, "ready", func() bool { return strings.Contains(askServer(admin, "/readyz"), `"ready":true`) })
	stop()
	if err := testkit.Next(t, ended); err != nil {
		t.Errorf("ended with %v", err)
	}
	if text := log.String(); strings.Count(text, "nats.waiting") != 1 || strings.Count(text, "nats.connected") != 1 {
		t.Errorf("want one line at the beginning and one at the end:\n%s", text)
	}
}

func TestStartEndsAfterItsWait(t *testing.T) {
	t.Parallel()
	began := time.Now()
	_, err := startWith(t, map[string]string{"NATS_URL": "nats://127.0.0.1:1", "NATS_WAIT": "1s"}, &testkit.Log{})
	if err == nil || !strings.Contains(err.Error(), "NATS_URL cannot be reached") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("ended after %s, want at least 1s", took)
	}
}

// TestStopWhileTheStartWaits: it is no error.
func TestStopWhileTheStartWaits(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var log testkit.Log
	s, config := settingsWith(t, map[string]string{"NATS_URL": "nats://127.0.0.1:1", "NATS_WAIT": "1h"})
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, s, fixed(config), log.Logger()) }()
	testkit.Eventually(t, "waiting", func() bool { return strings.Contains(log.String(), "nats.waiting") })
	stop()
	if err := testkit.Next(t, ended); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// ask returns the answer of a listener, empty while it does not listen.
func askServer(address, path string) string {
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

// startWith starts a process with the example configuration, without a bridge's fixture.
func startWith(t *testing.T, change map[string]string, log *testkit.Log) (*process, error) {
	t.Helper()
	s, config := settingsWith(t, change)
	return start(t.Context(), s, fixed(config), log.Logger())
}

func settingsWith(t *testing.T, change map[string]string) (settings, *mapping.Config) {
	t.Helper()
	env := environment(t, "http://127.0.0.1:1")
	maps.Copy(env, change)
	s, err := loadSettings(t.Context(), envconfig.MapLookuper(env))
	if err != nil {
		t.Fatal(err)
	}
	config, err := exampleConfig(demo.AnyTime)
	if err != nil {
		t.Fatal(err)
	}
	return s, config
}
