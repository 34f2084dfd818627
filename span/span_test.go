package span_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"callbridge/span"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestContinueKeepsAValidTraceOrBeginsOne(t *testing.T) {
	t.Parallel()
	if got := span.Continue(parent); got != parent || got.TraceID() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("%s with trace %s", got, got.TraceID())
	}
	for _, bad := range []string{
		"", "x", "01" + parent[2:], strings.ToUpper(parent), parent + "-more",
		"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-" + strings.Repeat("0", 16) + "-01",
	} {
		begun := span.Continue(bad)
		if _, ok := span.Parse(string(begun)); !ok || begun.TraceID() == "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%q was continued as %q", bad, begun)
		}
		if again := span.Continue(bad); again.TraceID() == begun.TraceID() {
			t.Errorf("two webhooks share the trace %s", again.TraceID())
		}
	}
}

func TestParseChecksEveryCharacter(t *testing.T) {
	t.Parallel()
	for at := range len(parent) {
		if _, ok := span.Parse(parent[:at] + "g" + parent[at+1:]); ok {
			t.Errorf("a header with a g at %d was accepted", at)
		}
	}
}

func TestContinueOfBeginsTheSameTraceForAnID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("6f1f8f0e-5f57-4c0e-9d0a-1f6f4b0a7c11")
	for range 2 {
		if got := span.ContinueOf("", id).TraceID(); got != "6f1f8f0e5f574c0e9d0a1f6f4b0a7c11" {
			t.Errorf("trace %s", got)
		}
	}
	if got := span.ContinueOf(parent, id); got != parent {
		t.Errorf("%s does not continue its parent", got)
	}
	if got := span.Parent("").TraceID(); got != "" {
		t.Errorf("an empty parent has the trace %q", got)
	}
}

// BenchmarkContinue begins the trace of a webhook without a traceparent.
func BenchmarkContinue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		span.Continue("")
	}
}
