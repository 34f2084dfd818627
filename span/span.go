package span

import (
	"log/slog"
	"time"
)

// Kind says on which side of a connection a step stands, in the numbers of
// OTLP.
type Kind int

// The kinds of OpenTelemetry.
const (
	Internal Kind = iota + 1
	Server
	Client
	Producer
	Consumer
)

// Span is one step of a trace, from Start to End. Where nobody records it, it
// only passes the trace on.
type Span struct {
	tracer  *Tracer
	self    Parent
	before  string // the span id of the step before; empty for the first
	name    string
	kind    Kind
	started time.Time
	failure string
}

// Start begins a step of the trace in a traceparent header, or of a new one.
// Who asked for a trace and does not record it (no sampled flag) gets no spans:
// OpenTelemetry's parentbased_always_on.
func (t *Tracer) Start(header string, kind Kind, name string) Span {
	parent, continued := Parse(header)
	if !continued {
		parent = begin(newTrace())
	}
	if t == nil || !parent.sampled() {
		return Span{self: parent}
	}
	s := Span{tracer: t, self: parent, name: name, kind: kind, started: time.Now()}
	if continued {
		s.before, s.self = parent.spanID(), parent.child()
	}
	return s
}

// Parent is what the steps after this one have to know.
func (s Span) Parent() Parent { return s.self }

// Recorded reports whether somebody records the step: without one, its attributes
// need not be made.
func (s Span) Recorded() bool { return s.tracer != nil }

// Fail marks the step as failed, with a fixed word or two.
func (s *Span) Fail(why string) { s.failure = why }

// End records the step with what became of it. Nothing of a person, no secret
// and no number may stand there.
func (s Span) End(attributes ...slog.Attr) {
	if s.tracer != nil {
		s.tracer.record(ended{s, time.Now(), attributes})
	}
}

// ended is a span that is over.
type ended struct {
	Span
	at         time.Time
	attributes []slog.Attr
}
