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

	"github.com/prometheus/client_golang/prometheus"

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
	// Registry receives the metric of lost spans; nil for none.
	Registry prometheus.Registerer
}

const (
	// maxQueue is the number of spans that wait for their export: those of some seconds
	// at 1,000 spans a second.
	maxQueue = 8192
	// maxBatch is the number of spans in one request. A request is sent when so many
	// wait, so that the rate is not limited by batchEvery.
	maxBatch      = 1024
	batchEvery    = 5 * time.Second
	exportTimeout = 10 * time.Second
	// stopTimeout limits the export of all that waits when the process stops.
	stopTimeout = 2 * time.Second
)

// Why spans were lost, the label of the metric.
const (
	queueFull    = "queue_full"
	exportFailed = "export_failed"
	stopping     = "stopping"
)

// newDropped returns the counter of lost spans.
func newDropped(registry prometheus.Registerer) *prometheus.CounterVec {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "callbridge_spans_dropped_total",
		Help: "Spans that were not exported, by cause: the queue was full, the endpoint did not take them, or the process stopped.",
	}, []string{"cause"})
	for _, cause := range []string{queueFull, exportFailed, stopping} {
		dropped.WithLabelValues(cause)
	}
	if registry != nil {
		registry.MustRegister(dropped)
	}
	return dropped
}

// Tracer exports spans in batches. It never blocks a caller: spans are dropped when
// the queue is full or the endpoint refuses them. A nil Tracer carries trace
// contexts and records nothing.
type Tracer struct {
	config  Config
	client  *http.Client
	dropped *prometheus.CounterVec
	queue   chan ended
	// full wakes the exporter when a batch waits.
	full    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	// ctx ends stopTimeout after Close begins.
	ctx    context.Context
	cancel context.CancelFunc
}

// New starts a Tracer. It returns nil without an endpoint.
func New(config Config) *Tracer {
	dropped := newDropped(config.Registry)
	if config.Endpoint == "" {
		return nil
	}
	t := &Tracer{
		config: config, client: &http.Client{Timeout: exportTimeout}, dropped: dropped,
		queue: make(chan ended, maxQueue), full: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	go t.run()
	return t
}

// Close exports the queued spans, within stopTimeout, and stops the Tracer. It is called
// once, after the last End.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	defer t.cancel()
	defer time.AfterFunc(stopTimeout, t.cancel).Stop()
	close(t.stop)
	<-t.stopped
}

func (t *Tracer) record(s ended) {
	select {
	case t.queue <- s:
	default:
		t.dropped.WithLabelValues(queueFull).Inc()
		return
	}
	if len(t.queue) < maxBatch {
		return
	}
	select {
	case t.full <- struct{}{}:
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
		case <-t.full:
		case <-t.stop:
			t.flush(failing)
			t.discard()
			return
		}
		failing = t.flush(failing)
	}
}

// flush exports all queued spans and reports whether the export is failing. Only
// changes are logged.
func (t *Tracer) flush(failing bool) bool {
	for len(t.queue) > 0 && t.ctx.Err() == nil {
		batch := make([]ended, 0, min(maxBatch, len(t.queue)))
		for len(batch) < maxBatch && len(t.queue) > 0 {
			batch = append(batch, <-t.queue)
		}
		err := t.export(t.ctx, batch)
		if err != nil {
			t.dropped.WithLabelValues(exportFailed).Add(float64(len(batch)))
		}
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

// discard drops what is still queued when the time to stop is over.
func (t *Tracer) discard() {
	if n := len(t.queue); n > 0 {
		t.dropped.WithLabelValues(stopping).Add(float64(n))
		t.config.Log.Warn("traces.dropped", "spans", n, "hint", "the endpoint did not take them before the process stopped")
	}
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
