package span

import (
	"log/slog"
	"testing"
)

func TestSettingsNameTheEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings Settings
		want     string
	}{
		"nothing set":     {Settings{Service: "x"}, ""},
		"all signals":     {Settings{Endpoint: "http://c:4318"}, "http://c:4318/v1/traces"},
		"for traces":      {Settings{Endpoint: "http://c:4318", TracesEndpoint: "http://t/otlp"}, "http://t/otlp"},
		"disabled":        {Settings{Endpoint: "http://c:4318", Disabled: true}, ""},
		"no exporter":     {Settings{Endpoint: "http://c:4318", Exporter: "none"}, ""},
		"below some path": {Settings{Endpoint: "https://c/otlp/"}, "https://c/otlp/v1/traces"},
	} {
		if got := c.settings.endpoint(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestUnusableSettingsTurnTracesOff(t *testing.T) {
	t.Parallel()
	for _, settings := range []Settings{{}, {Endpoint: "http://c:4317", Protocol: "grpc"}, {Endpoint: "c:4318"}} {
		if tracer := settings.Tracer("v1", nil, slog.New(slog.DiscardHandler)); tracer != nil {
			t.Errorf("%+v sends spans", settings)
		}
	}
}
