// Package span joins the steps of the webhook pipeline to one trace: the header
// traceparent (W3C trace context), in HTTP and in NATS, carries the parent span to the
// next step. A Tracer exports spans by OTLP. It imports no package of this module.
//
//   - span.go: trace contexts and spans
//   - tracer.go: batches, and the export in the JSON form of OTLP
//   - settings.go: the environment variables of OpenTelemetry
package span

import (
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Parent is a W3C trace context, version 00: the trace and the parent span of the
// next step (https://www.w3.org/TR/trace-context/#traceparent-header).
type Parent string

// layout is a traceparent with an x for each hex digit.
const layout = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx"

// hasLayout compares a header with layout, character by character.
func hasLayout(header string) bool {
	if len(header) != len(layout) {
		return false
	}
	for i := range len(layout) {
		c := header[i]
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if layout[i] == 'x' && !hex || layout[i] != 'x' && c != layout[i] {
			return false
		}
	}
	return true
}

const (
	noTrace = "00000000000000000000000000000000"
	noSpan  = "0000000000000000"
)

// Parse parses a traceparent header. It reports false if the header is invalid.
func Parse(header string) (Parent, bool) {
	p := Parent(header)
	if !hasLayout(header) || p.TraceID() == noTrace || p.spanID() == noSpan {
		return "", false
	}
	return p, true
}

// Continue parses a traceparent header. If it is invalid or empty, a new trace
// begins.
func Continue(header string) Parent {
	if p, ok := Parse(header); ok {
		return p
	}
	return newParent(newTraceID())
}

// ContinueOf parses a traceparent header. If it is invalid or empty, a trace begins
// whose id is the given one, so that redeliveries share a trace.
func ContinueOf(header string, id uuid.UUID) Parent {
	if p, ok := Parse(header); ok {
		return p
	}
	return newParent(id)
}

func newParent(trace [16]byte) Parent {
	text := append(make([]byte, 0, len("00-")+32+len("-")+16+len("-01")), "00-"...)
	text = append(hex.AppendEncode(text, trace[:]), '-')
	return Parent(append(appendSpanID(text), "-01"...))
}

// TraceID is the id that all spans of one webhook share; empty without a trace.
func (p Parent) TraceID() string { return p.part(3, 35) }

func (p Parent) spanID() string { return p.part(36, 52) }

func (p Parent) sampled() bool {
	flags, err := strconv.ParseUint(p.part(53, 55), 16, 8)
	return err == nil && flags&1 == 1
}

// child returns a new span id in the same trace.
func (p Parent) child() Parent {
	text := append(make([]byte, 0, len(p)), p[:36]...)
	return Parent(append(appendSpanID(text), p[52:]...))
}

func (p Parent) part(from, to int) string {
	if len(p) < to {
		return ""
	}
	return string(p[from:to])
}

// newTraceID returns a random id. It need not be unpredictable, because all
// services in the trace get it.
func newTraceID() (id [16]byte) {
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// appendSpanID appends a new span id.
func appendSpanID(text []byte) []byte {
	var id [8]byte
	binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	return hex.AppendEncode(text, id[:])
}

// Kind is the role of a span in a connection, in the numbers of OTLP.
type Kind int

// The span kinds of OpenTelemetry.
const (
	Internal Kind = iota + 1
	Server
	Client
	Producer
	Consumer
)

// Span is one step of a trace, from Start to End. Without a Tracer it only carries
// the trace context.
type Span struct {
	tracer  *Tracer
	self    Parent
	parent  string // the id of the parent span; empty for a root span
	name    string
	kind    Kind
	started time.Time
	failure string
}

// Start begins a span in the trace of a traceparent header, or in a new trace. A
// trace without the sampled flag is not recorded (OpenTelemetry's
// parentbased_always_on).
func (t *Tracer) Start(header string, kind Kind, name string) Span {
	parent, continued := Parse(header)
	if !continued {
		parent = newParent(newTraceID())
	}
	if t == nil || !parent.sampled() {
		return Span{self: parent}
	}
	s := Span{tracer: t, self: parent, name: name, kind: kind, started: time.Now()}
	if continued {
		s.parent, s.self = parent.spanID(), parent.child()
	}
	return s
}

// Parent returns the trace context for the spans below this one.
func (s Span) Parent() Parent { return s.self }

// Recorded reports whether the span is exported. If not, the caller need not build
// attributes.
func (s Span) Recorded() bool { return s.tracer != nil }

// Fail marks the span as failed. The reason is a short fixed text.
func (s *Span) Fail(reason string) { s.failure = reason }

// End records the span with its attributes. They must not hold personal data,
// secrets or telephone numbers.
func (s Span) End(attributes ...slog.Attr) {
	if s.tracer != nil {
		s.tracer.record(ended{s, time.Now(), attributes})
	}
}

// ended is a finished span.
type ended struct {
	Span
	end        time.Time
	attributes []slog.Attr
}
