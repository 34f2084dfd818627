package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"callbridge/span"
)

// unknownSource stands for a name that is not configured: whatever anybody
// writes into a URL must not become a label.
const unknownSource = "unknown"

// line collects what the one log line of a webhook says.
type line struct {
	start  time.Time
	source string
	bytes  int
	reason string
	err    error
	events tally
	span   span.Span
	// limited is a refusal too many.
	limited bool
	// askedFor is the name in the path where there is no such source.
	askedFor string
	// told is the first event that was rejected or, if none was, skipped.
	told eventAnswer
	// The first event and the first request; the trace leads to the others.
	event, request string
}

// newLine begins the line, and the span, of a webhook.
func (in Intake) newLine(c *gin.Context, start time.Time) line {
	return line{start: start, source: c.Param("source"), span: in.Tracer.Start(c.GetHeader("traceparent"), span.Server, spanName(c))}
}

// spanName is as OpenTelemetry's conventions for HTTP servers have it.
func spanName(c *gin.Context) string {
	if c.Request.Method == http.MethodPost {
		return "POST " + webhookPath // what nearly all are, put together once
	}
	return c.Request.Method + " " + c.FullPath()
}

func (l *line) count(a answer) {
	for _, e := range a.Events {
		l.events.add(e.Status)
		if e.Status == rejected && l.told.Status != rejected || e.Status == skipped && l.told.Status == "" {
			l.told = e
		}
		if l.request == "" && len(e.Requests) > 0 {
			l.request = e.Requests[0].String()
		}
	}
	if len(a.Events) > 0 {
		l.event = a.Events[0].ID.String()
	}
}

// mostAttributes is as many as most lines have.
const mostAttributes = 12

// finish writes the line and counts the webhook.
func (in Intake) finish(c *gin.Context, l *line) {
	code, took := c.Writer.Status(), time.Since(l.start)
	in.metrics.webhooks.WithLabelValues(l.source, strconv.Itoa(code)).Inc()
	in.metrics.duration.Observe(took.Seconds())
	level := slog.LevelInfo
	attributes := append(make([]slog.Attr, 0, mostAttributes),
		slog.String("source", l.source), slog.Int("status", code), slog.Int("bytes", l.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("remote", c.ClientIP()),
		slog.String("trace_id", l.span.Parent().TraceID()))
	if l.event != "" {
		attributes = append(attributes, slog.String("event_id", l.event))
	}
	if l.request != "" {
		attributes = append(attributes, slog.String("request_id", l.request))
	}
	for i, s := range statuses {
		if n := l.events[i]; n > 0 && l.err == nil {
			attributes = append(attributes, slog.Int(string(s), n))
			in.metrics.events.WithLabelValues(l.source, string(s)).Add(float64(n))
		}
	}
	attributes = append(attributes, l.explained()...)
	if l.reason != "" {
		switch {
		case l.limited:
			level = slog.LevelDebug // a flood must not fill the log
		case l.reason != reasonHandshake:
			level = slog.LevelWarn
		}
		attributes = append(attributes, slog.String("reason", l.reason))
	}
	if l.err != nil {
		attributes = append(attributes, slog.Any("error", l.err))
	}
	in.logLine(c.Request.Context(), l.start.Add(took), level, attributes)
	l.endSpan(c, code)
}

// logLine is in.Log.LogAttrs for one place in the code, which need not be looked
// up for each webhook.
func (in Intake) logLine(ctx context.Context, at time.Time, level slog.Level, attributes []slog.Attr) {
	if to := in.Log.Handler(); to.Enabled(ctx, level) {
		record := slog.NewRecord(at, level, "webhook.received", 0)
		record.AddAttrs(attributes...)
		_ = to.Handle(ctx, record)
	}
}

// refuseUnknown is for a name that no source has. It may be a mistyped one, so
// the log tells it.
func (in Intake) refuseUnknown(c *gin.Context, line *line) {
	line.askedFor = legible(line.source)
	line.source, line.reason = unknownSource, "unknown_source"
	in.turnAway(c, line, http.StatusNotFound, "unknown_source", "no source of this name is configured")
}

const (
	// maxLegible is as long as the name of a source may be.
	maxLegible = 40
	// phoneDigits is how many may be a telephone number, as in event.Redact.
	phoneDigits = 7
)

// legible makes what a stranger wrote into a URL fit for a log: short, of
// plain characters, and without its digits where they may be a telephone number.
func legible(name string) string {
	digits := 0
	for _, r := range name {
		if isDigit(r) {
			digits++
		}
	}
	text := strings.Map(func(r rune) rune {
		switch {
		case isDigit(r) && digits < phoneDigits:
			return r
		case isDigit(r):
			return '#'
		case r|0x20 >= 'a' && r|0x20 <= 'z', r == '-', r == '_', r == '.':
			return r
		}
		return '?'
	}, name)
	if len(text) > maxLegible {
		return text[:maxLegible] + "…"
	}
	return text
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// explained says why nobody is to be called, where the webhook itself was well,
// and what was asked for where there is no such source.
func (l *line) explained() (attributes []slog.Attr) {
	if l.askedFor != "" {
		attributes = append(attributes, slog.String("asked_for", l.askedFor))
	}
	if l.reason == "" && l.told.Reason != "" {
		attributes = append(attributes, slog.String("reason", string(l.told.Reason)))
		if l.told.Field != "" {
			attributes = append(attributes, slog.String("field", l.told.Field))
		}
	}
	return attributes
}

// endSpan names things as OpenTelemetry's conventions for HTTP servers do.
func (l *line) endSpan(c *gin.Context, code int) {
	if !l.span.Recorded() {
		return
	}
	if code >= http.StatusInternalServerError {
		l.span.Fail(l.reason)
	}
	l.span.End(slog.String("http.request.method", c.Request.Method), slog.String("http.route", c.FullPath()),
		slog.Int("http.response.status_code", code), slog.String("callbridge.source", l.source),
		slog.String("callbridge.event_id", l.event))
}

type metrics struct {
	webhooks *prometheus.CounterVec
	events   *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_webhooks_total", Help: "Webhooks received, by source and HTTP status.",
		}, []string{"source", "code"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callbridge_events_total", Help: "Events in accepted webhooks, by source and what was answered for them.",
		}, []string{"source", "status"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "callbridge_webhook_duration_seconds", Help: "From the first byte of a webhook to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
	}
	r.MustRegister(m.webhooks, m.events, m.duration)
	return m
}
