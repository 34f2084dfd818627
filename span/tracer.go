package span

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"callbridge/untrusted"
)

// Config configures the export of spans.
type Config struct {
	// Endpoint is the complete URL of an OTLP/HTTP receiver; empty for no export.
	Endpoint string
	// Header is added to each request, for example an API key.
	Header map[string]string
	// Resource are the attributes of this process.
	Resource map[string]string
	Log      *slog.Logger
}

// The defaults of OpenTelemetry's batch span processor and exporter.
const (
	maxQueue      = 2048
	maxBatch      = 512
	batchEvery    = 5 * time.Second
	exportTimeout = 10 * time.Second
)

// stopTimeout limits the last export when the process stops.
const stopTimeout = 2 * time.Second

// Tracer exports spans in batches. It never blocks a caller: spans are dropped when
// the queue is full or the endpoint refuses them. A nil Tracer carries trace
// contexts and records nothing.
type Tracer struct {
	config  Config
	client  *http.Client
	queue   chan ended
	stop    chan struct{}
	stopped chan struct{}
}

// New starts a Tracer. It returns nil without an endpoint.
func New(config Config) *Tracer {
	if config.Endpoint == "" {
		return nil
	}
	t := &Tracer{
		config: config, client: &http.Client{Timeout: exportTimeout},
		queue: make(chan ended, maxQueue), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go t.run()
	return t
}

// Close exports the queued spans and stops the Tracer. It is called once, after
// the last End.
func (t *Tracer) Close() {
	if t != nil {
		close(t.stop)
		<-t.stopped
	}
}

func (t *Tracer) record(s ended) {
	select {
	case t.queue <- s:
	default:
	}
}

func (t *Tracer) run() {
	defer close(t.stopped)
	tick := time.NewTicker(batchEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-t.stop:
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			t.flush(ctx, failing)
			return
		}
		failing = t.flush(context.Background(), failing)
	}
}

// flush exports all queued spans and reports whether the export is failing. Only
// changes are logged.
func (t *Tracer) flush(ctx context.Context, failing bool) bool {
	for len(t.queue) > 0 {
		batch := make([]ended, 0, maxBatch)
		for len(batch) < maxBatch && len(t.queue) > 0 {
			batch = append(batch, <-t.queue)
		}
		err := t.export(ctx, batch)
		switch {
		case err != nil && !failing:
			t.config.Log.Warn("traces.export_failed", "error", err)
		case err == nil && failing:
			t.config.Log.Info("traces.exported_again")
		}
		failing = err != nil
	}
	return failing
}

func (t *Tracer) export(ctx context.Context, batch []ended) error {
	body, err := encode(t.config.Resource, batch)
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.config.Endpoint, body)
	if err != nil {
		return fmt.Errorf("send spans: %w", untrusted.NetworkError(err))
	}
	for name, value := range t.config.Header {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := t.client.Do(request)
	if err != nil {
		return fmt.Errorf("send spans: %w", untrusted.NetworkError(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode >= 300 {
		return fmt.Errorf("send spans: answered HTTP %d", response.StatusCode)
	}
	return nil
}

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
		Spans []spanJSON `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	spanJSON struct {
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
	// value has exactly one member.
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

func encode(resourceAttributes map[string]string, batch []ended) (io.Reader, error) {
	var r resource
	for _, key := range slices.Sorted(maps.Keys(resourceAttributes)) {
		r.Attributes = append(r.Attributes, attributeOf(slog.String(key, resourceAttributes[key])))
	}
	spans := make([]spanJSON, len(batch))
	for i, s := range batch {
		spans[i] = s.encode()
	}
	body, err := json.Marshal(exportRequest{[]resourceSpans{{r, []scopeSpans{{scope{scopeName}, spans}}}}})
	return bytes.NewReader(body), err
}

func (s ended) encode() spanJSON {
	e := spanJSON{
		TraceID: s.self.TraceID(), SpanID: s.self.spanID(), ParentSpanID: s.parent, Flags: sampledFlag,
		Name: s.name, Kind: s.kind, Start: nanoseconds(s.started), End: nanoseconds(s.end),
	}
	for _, a := range s.attributes {
		e.Attributes = append(e.Attributes, attributeOf(a))
	}
	if s.failure != "" {
		e.Status = status{statusError, s.failure}
	}
	return e
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
