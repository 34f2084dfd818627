// Package span joins the steps of a webhook's way to one trace: every step
// knows its parent by the W3C trace context, in HTTP and in NATS headers.
package span

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"

	"github.com/google/uuid"
)

// Parent is a W3C trace context, version 00: which trace, and which step of it
// is the one before (https://www.w3.org/TR/trace-context/#traceparent-header).
type Parent string

// form is a traceparent with an x for each hex digit.
const form = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx"

func fits(header string) bool {
	if len(header) != len(form) {
		return false
	}
	for i := range len(form) {
		c := header[i]
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if form[i] == 'x' && !hex || form[i] != 'x' && c != form[i] {
			return false
		}
	}
	return true
}

const (
	noTrace = "00000000000000000000000000000000"
	noSpan  = "0000000000000000"
)

// Parse takes a traceparent header. What is not of its form is no parent.
func Parse(header string) (Parent, bool) {
	p := Parent(header)
	if !fits(header) || p.TraceID() == noTrace || p.spanID() == noSpan {
		return "", false
	}
	return p, true
}

// Continue takes a traceparent header, or begins a new trace.
func Continue(header string) Parent {
	if p, ok := Parse(header); ok {
		return p
	}
	return begin(newTrace())
}

// ContinueOf takes a traceparent header, or begins the trace of an id, which is
// the same however often that id is delivered.
func ContinueOf(header string, id uuid.UUID) Parent {
	if p, ok := Parse(header); ok {
		return p
	}
	return begin(id)
}

func begin(trace [16]byte) Parent {
	text := append(make([]byte, 0, len("00-")+32+len("-")+16+len("-01")), "00-"...)
	text = append(hex.AppendEncode(text, trace[:]), '-')
	return Parent(append(appendSpan(text), "-01"...))
}

// TraceID is what all steps of one webhook share; empty without a trace.
func (p Parent) TraceID() string { return p.part(3, 35) }

func (p Parent) spanID() string { return p.part(36, 52) }

func (p Parent) sampled() bool {
	flags, err := strconv.ParseUint(p.part(53, 55), 16, 8)
	return err == nil && flags&1 == 1
}

// child is the next step of the same trace.
func (p Parent) child() Parent {
	text := append(make([]byte, 0, len(p)), p[:36]...)
	return Parent(append(appendSpan(text), p[52:]...))
}

func (p Parent) part(from, to int) string {
	if len(p) < to {
		return ""
	}
	return string(p[from:to])
}

// newTrace is random enough to be one of its kind. It is no secret: it
// goes to everybody who takes part.
func newTrace() (id [16]byte) {
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// appendSpan writes a new span's id.
func appendSpan(text []byte) []byte {
	var id [8]byte
	binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	return hex.AppendEncode(text, id[:])
}
