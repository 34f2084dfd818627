package main

import (
	"cmp"
	"log/slog"
	"net/url"
	"strings"

	"callbridge/span"
)

// otelSettings are the variables of OpenTelemetry that count here; their
// meaning and defaults are its own
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
type otelSettings struct {
	Disabled       bool   `env:"OTEL_SDK_DISABLED"`
	Exporter       string `env:"OTEL_TRACES_EXPORTER"`
	Endpoint       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	TracesEndpoint string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
	Protocol       string `env:"OTEL_EXPORTER_OTLP_PROTOCOL"`
	Headers        string `env:"OTEL_EXPORTER_OTLP_HEADERS"`
	Service        string `env:"OTEL_SERVICE_NAME"`
	Resource       string `env:"OTEL_RESOURCE_ATTRIBUTES"`
}

// tracer sends spans where the variables say; nil where they say nowhere. What
// is wrong with them is logged: nobody stays uncalled for the sake of a trace.
func (o otelSettings) tracer(log *slog.Logger) *span.Tracer {
	endpoint := o.endpoint()
	switch address, err := url.Parse(endpoint); {
	case endpoint == "":
		return nil
	case o.Protocol == "grpc":
		log.Warn("traces.off", "hint", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc: traces leave over HTTP only, set it to http/json and the endpoint to the port for HTTP")
		return nil
	case err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Host == "":
		log.Warn("traces.off", "hint", "OTEL_EXPORTER_OTLP_ENDPOINT is no URL such as http://collector:4318")
		return nil
	}
	about := pairs(o.Resource)
	about["service.name"] = cmp.Or(o.Service, about["service.name"], "callbridge")
	about["service.version"] = version()
	return span.New(span.Config{Endpoint: endpoint, Header: pairs(o.Headers), Resource: about, Log: log})
}

// endpoint is the whole URL: the one for traces as it is, the one for all
// signals with the path that the specification adds.
func (o otelSettings) endpoint() string {
	switch {
	case o.Disabled, o.Exporter == "none":
		return ""
	case o.TracesEndpoint != "":
		return o.TracesEndpoint
	case o.Endpoint != "":
		return strings.TrimSuffix(o.Endpoint, "/") + "/v1/traces"
	}
	return ""
}

// pairs reads key=value,key=value with percent-encoded values, the form of W3C
// baggage.
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
