package span

import (
	"cmp"
	"log/slog"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Settings are the environment variables of OpenTelemetry that are supported, with the
// meaning and the defaults of its specification
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
type Settings struct {
	Disabled       bool   `env:"OTEL_SDK_DISABLED"`
	Exporter       string `env:"OTEL_TRACES_EXPORTER"`
	Endpoint       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	TracesEndpoint string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
	Protocol       string `env:"OTEL_EXPORTER_OTLP_PROTOCOL"`
	Headers        string `env:"OTEL_EXPORTER_OTLP_HEADERS"`
	Service        string `env:"OTEL_SERVICE_NAME"`
	Resource       string `env:"OTEL_RESOURCE_ATTRIBUTES"`
}

// Tracer returns a tracer that sends spans to the endpoint, or nil without one. Wrong
// settings are logged and turn traces off: they must not keep a call from being placed.
// The metric of lost spans is registered in any case.
func (s Settings) Tracer(version string, registry prometheus.Registerer, log *slog.Logger) *Tracer {
	config := Config{Log: log, Registry: registry}
	endpoint := s.endpoint()
	switch address, err := url.Parse(endpoint); {
	case endpoint == "":
		return New(config)
	case s.Protocol == "grpc":
		log.Warn("traces.off", "hint", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc: traces are sent over HTTP only, set it to http/json and the endpoint to the port for HTTP")
		return New(config)
	case err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Host == "":
		log.Warn("traces.off", "hint", "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL such as http://collector:4318")
		return New(config)
	}
	resource := pairs(s.Resource)
	resource["service.name"] = cmp.Or(s.Service, resource["service.name"], "callbridge")
	resource["service.version"] = version
	config.Endpoint, config.Header, config.Resource = endpoint, pairs(s.Headers), resource
	return New(config)
}

// endpoint is the URL for traces, "" if there is none. The specification adds a path to the
// endpoint of all signals, but not to the one of traces.
func (s Settings) endpoint() string {
	switch {
	case s.Disabled, s.Exporter == "none":
		return ""
	case s.TracesEndpoint != "":
		return s.TracesEndpoint
	case s.Endpoint != "":
		return strings.TrimSuffix(s.Endpoint, "/") + "/v1/traces"
	}
	return ""
}

// pairs parses key=value,key=value with percent-encoded values, the format of W3C baggage.
func pairs(text string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if decoded, err := url.PathUnescape(strings.TrimSpace(value)); ok && err == nil {
			all[strings.TrimSpace(key)] = decoded
		}
	}
	return all
}
