package bus_test

import (
	"strings"
	"testing"
	"time"

	"callbridge/bus"
	definition "callbridge/bus/stream"
	"callbridge/event"
)

// TestCommandsUseTheDomain: at another domain no JetStream answers.
func TestCommandsUseTheDomain(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "jetstream: {domain: hub}")
	open(t, config)
	for domain, want := range map[string]bool{"hub": true, "edge": false} {
		config.Domain = domain
		err := bus.ReadResults(t.Context(), config, bus.ResultQuery{Since: time.Now()}, func(event.Result) error { return nil })
		if (err == nil) != want {
			t.Errorf("results at the domain %s: %v", domain, err)
		}
		err = bus.ApplyStreams(t.Context(), config, true, func(definition.Step) error { return nil })
		if (err == nil) != want {
			t.Errorf("streams apply at the domain %s: %v", domain, err)
		}
	}
}

// TestACommandNamesItsRole if its user lacks a permission, at once.
func TestACommandNamesItsRole(t *testing.T) {
	t.Parallel()
	_, config := documented(t)
	open(t, config)
	config.Auth.User = "service"
	err := bus.ReadResults(t.Context(), config, bus.ResultQuery{}, func(event.Result) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "Permissions Violation") || !strings.Contains(err.Error(), "needs the role reader") {
		t.Errorf("results: %v", err)
	}
	config.Auth.User = "bridge-checked"
	err = bus.ApplyStreams(t.Context(), config, false, func(definition.Step) error { return nil })
	if err != nil {
		t.Errorf("nothing to change: %v", err)
	}
	config.Retention *= 2
	err = bus.ApplyStreams(t.Context(), config, false, func(definition.Step) error { return nil })
	if err == nil || !strings.Contains(err.Error(), `"$JS.API.STREAM.UPDATE.CALLBRIDGE_LEDGER"`) || !strings.Contains(err.Error(), "needs the role administrator") {
		t.Errorf("streams apply: %v", err)
	}
}

// TestTheUserOfTheFirstAddressHasItsInbox: NATS_URL may list servers.
func TestTheUserOfTheFirstAddressHasItsInbox(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t))
	config := embedded(t)
	config.URL = b.UserURL("reader") + ",nats://127.0.0.1:1"
	if err := bus.ReadResults(t.Context(), config, bus.ResultQuery{Since: time.Now()}, func(event.Result) error { return nil }); err != nil {
		t.Error(err)
	}
}
