package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"callbridge/span"
)

// unknownSource is the label of webhooks for sources that are not configured:
// text from a URL must not become a label.
const unknownSource = "unknown"

// logLine collects the attributes of the one log line of a webhook
// (webhook.received).
type logLine struct {
	start  time.Time
	source string
	bytes  int
	reason string
	err    error
	events statusCounts
	span   span.Span
	// remote is the sender's address.
	remote netip.Addr
	// unverified: the sender of the request is not proved. limited: it was answered
	// before it was verified, because of a limit. Their lines are sampled.
	unverified, limited bool
	leftOut             int
	// unknown is the source's name in the path, if there is no such source: text of
	// anybody, which the logger cleans.
	unknown string
	// noCall is the first event that was rejected or, if none was, skipped.
	noCall eventAnswer
	// config is the hash of the configuration that decided.
	config string
	// eventID and requestID are the first ones; the trace leads to the others.
	eventID, requestID string
}

// newLogLine starts the log line and the span of a webhook.
func (in Intake) newLogLine(c *gin.Context, start time.Time) logLine {
	return logLine{
		start: start, source: c.Param("source"), remote: in.proxies.address(c.Request),
		span: in.Tracer.Start(c.GetHeader("traceparent"), span.Server, spanName(c)),
	}
}

// sender is the key of the limits for unverified requests.
func (l *logLine) sender() sender { return sender{l.source, networkOf(l.remote)} }

// spanName follows OpenTelemetry's conventions for HTTP servers.
func spanName(c *gin.Context) string {
	if c.Request.Method == http.MethodPost {
		return "POST " + webhookPath // a constant: nearly all requests have it
	}
	return c.Request.Method + " " + c.FullPath()
}

func (l *logLine) addEvents(a answer) {
	for _, e := range a.Events {
		l.events.add(e.Status)
		if e.Status == rejected && l.noCall.Status != rejected || (e.Status == skipped || e.Status == deferred) && l.noCall.Status == "" {
			l.noCall = e
		}
		if l.requestID == "" && len(e.Requests) > 0 {
			l.requestID = e.Requests[0].String()
		}
	}
	if len(a.Events) > 0 {
		l.eventID = a.Events[0].ID.String()
	}
}

// usualAttributes is the number of attributes that most lines have.
const usualAttributes = 13

// finish writes the log line, counts the webhook and ends its span.
func (in Intake) finish(c *gin.Context, l *logLine) {
	code, took := c.Writer.Status(), time.Since(l.start)
	in.metrics.webhooks.WithLabelValues(l.source, strconv.Itoa(code)).Inc()
	in.metrics.duration.Observe(took.Seconds())
	level := in.level(l, l.start.Add(took))
	attributes := append(make([]slog.Attr, 0, usualAttributes),
		slog.String("source", l.source), slog.Int("status", code), slog.Int("bytes", l.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("remote", l.address()),
		slog.String("trace_id", l.span.Parent().TraceID()))
	if l.config != "" {
		attributes = append(attributes, slog.String("config_hash", l.config))
	}
	if l.eventID != "" {
		attributes = append(attributes, slog.String("event_id", l.eventID))
	}
	if l.requestID != "" {
		attributes = append(attributes, slog.String("request_id", l.requestID))
	}
	for i, s := range statuses {
		if n := l.events[i]; n > 0 && l.err == nil {
			attributes = append(attributes, slog.Int(string(s), n))
			in.metrics.events.WithLabelValues(l.source, string(s)).Add(float64(n))
		}
	}
	attributes = append(attributes, l.reasons()...)
	in.write(c.Request.Context(), l.start.Add(took), level, attributes)
	l.endSpan(c, code)
}

// reasons are the attributes that say why a webhook led to no call or to none yet, or why
// it was refused.
func (l *logLine) reasons() (attributes []slog.Attr) {
	if l.unknown != "" {
		attributes = append(attributes, slog.String("asked_for", l.unknown))
	}
	switch {
	case l.reason != "":
		attributes = append(attributes, slog.String("reason", l.reason))
	case l.noCall.Reason != "":
		attributes = append(attributes, slog.String("reason", string(l.noCall.Reason)))
		if l.noCall.Field != "" {
			attributes = append(attributes, slog.String("field", l.noCall.Field))
		}
		if !l.noCall.Until.IsZero() {
			attributes = append(attributes, slog.Time("until", l.noCall.Until))
		}
	}
	if l.err != nil {
		attributes = append(attributes, slog.Any("error", l.err))
	}
	if l.leftOut > 0 {
		attributes = append(attributes, slog.Int("left_out", l.leftOut))
	}
	return attributes
}

// address is empty for a connection without an address.
func (l *logLine) address() string {
	if !l.remote.IsValid() {
		return ""
	}
	return l.remote.String()
}

// level is warn for a refused webhook. Lines about unverified requests are sampled, so
// that a flood does not fill the log: those left out are written at debug level only.
func (in Intake) level(l *logLine, now time.Time) slog.Level {
	if l.unverified {
		var keep bool
		if keep, l.leftOut = in.sampler.keep(lineKind{l.source, l.limited}, now); !keep {
			return slog.LevelDebug
		}
	}
	if l.reason == "" || l.reason == reasonHandshake && !l.limited {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// write is in.Log.LogAttrs without the lookup of the caller's source line,
// which is the same for each webhook.
func (in Intake) write(ctx context.Context, at time.Time, level slog.Level, attributes []slog.Attr) {
	if handler := in.Log.Handler(); handler.Enabled(ctx, level) {
		record := slog.NewRecord(at, level, "webhook.received", 0)
		record.AddAttrs(attributes...)
		_ = handler.Handle(ctx, record)
	}
}

// endSpan sets the attributes of OpenTelemetry's conventions for HTTP servers.
func (l *logLine) endSpan(c *gin.Context, code int) {
	if !l.span.Recorded() {
		return
	}
	if code >= http.StatusInternalServerError {
		l.span.Fail(l.reason)
	}
	l.span.End(slog.String("http.request.method", c.Request.Method), slog.String("http.route", c.FullPath()),
		slog.Int("http.response.status_code", code), slog.String("callbridge.source", l.source),
		slog.String("callbridge.event_id", l.eventID))
}
