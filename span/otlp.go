package span

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The JSON form of an ExportTraceServiceRequest
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids in
// hex, 64 bit numbers as strings, enumerations as numbers.
type (
	exportRequest struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope      `json:"scope"`
		Spans []wireSpan `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	wireSpan struct {
		TraceID      string      `json:"traceId"`
		SpanID       string      `json:"spanId"`
		ParentSpanID string      `json:"parentSpanId,omitempty"`
		Flags        int         `json:"flags"`
		Name         string      `json:"name"`
		Kind         Kind        `json:"kind"`
		Start        string      `json:"startTimeUnixNano"`
		End          string      `json:"endTimeUnixNano"`
		Attributes   []attribute `json:"attributes,omitempty"`
		Status       status      `json:"status"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	// value holds one of them.
	value struct {
		String *string  `json:"stringValue,omitempty"`
		Int    *string  `json:"intValue,omitempty"`
		Double *float64 `json:"doubleValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
	}
)

const (
	scopeName   = "callbridge"
	statusError = 2
	sampledFlag = 1
)

func encode(about map[string]string, batch []ended) (io.Reader, error) {
	var of resource
	for _, key := range slices.Sorted(maps.Keys(about)) {
		of.Attributes = append(of.Attributes, attributeOf(slog.String(key, about[key])))
	}
	spans := make([]wireSpan, len(batch))
	for i, s := range batch {
		spans[i] = s.wire()
	}
	body, err := json.Marshal(exportRequest{[]resourceSpans{{of, []scopeSpans{{scope{scopeName}, spans}}}}})
	return bytes.NewReader(body), err
}

func (s ended) wire() wireSpan {
	w := wireSpan{
		TraceID: s.self.TraceID(), SpanID: s.self.spanID(), ParentSpanID: s.before, Flags: sampledFlag,
		Name: s.name, Kind: s.kind, Start: nanoseconds(s.started), End: nanoseconds(s.at),
	}
	for _, a := range s.attributes {
		w.Attributes = append(w.Attributes, attributeOf(a))
	}
	if s.failure != "" {
		w.Status = status{statusError, s.failure}
	}
	return w
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func attributeOf(a slog.Attr) attribute {
	var v value
	switch a.Value.Kind() {
	case slog.KindInt64:
		text := strconv.FormatInt(a.Value.Int64(), 10)
		v.Int = &text
	case slog.KindFloat64:
		number := a.Value.Float64()
		v.Double = &number
	case slog.KindBool:
		is := a.Value.Bool()
		v.Bool = &is
	default:
		text := a.Value.String()
		v.String = &text
	}
	return attribute{a.Key, v}
}
