package span_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"callbridge/span"
)

func TestNilTracerCarriesTheTrace(t *testing.T) {
	t.Parallel()
	var none *span.Tracer
	s := none.Start(parent, span.Server, "webhook")
	s.Fail("bus")
	s.End(slog.Int("n", 1))
	if s.Parent() != parent {
		t.Errorf("carried %s", s.Parent())
	}
	if s := none.Start("", span.Server, "webhook"); s.Parent().TraceID() == "" {
		t.Error("no trace was begun")
	}
	none.Close()
}

func TestSpanOfANilTracerAllocatesNothing(t *testing.T) {
	var none *span.Tracer
	if n := testing.AllocsPerRun(100, func() { none.Start(parent, span.Server, "webhook").End() }); n > 0 {
		t.Errorf("a span allocates %v times", n)
	}
}

func TestCloseExportsEachSpanOnce(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	t.Cleanup(server.Close)
	tracer := span.New(span.Config{Endpoint: server.URL, Log: slog.New(slog.DiscardHandler)})
	first := tracer.Start("", span.Server, "first")
	next := tracer.Start(string(first.Parent()), span.Client, "next")
	next.Fail("timeout")
	next.End(slog.Int("n", 7), slog.Bool("is", true), slog.Float64("x", .5))
	first.End()
	// Without the sampled flag a trace is not recorded.
	unsampled := tracer.Start(strings.TrimSuffix(parent, "01")+"00", span.Server, "unsampled")
	unsampled.End()
	if unsampled.Recorded() || !first.Recorded() {
		t.Errorf("recorded: the sampled span %t, the unsampled one %t", first.Recorded(), unsampled.Recorded())
	}
	tracer.Close()
	close(bodies)
	all := <-bodies
	if more := len(bodies); more != 0 {
		t.Errorf("%d more batches", more)
	}
	for text, want := range map[string]int{
		first.Parent().TraceID(): 2, "parentSpanId": 1, `"status":{"code":2,"message":"timeout"}`: 1, "unsampled": 0,
		`{"intValue":"7"}`: 1, `{"boolValue":true}`: 1, `{"doubleValue":0.5}`: 1,
	} {
		if n := strings.Count(all, text); n != want {
			t.Errorf("%q occurs %d times in %s, want %d", text, n, all, want)
		}
	}
}

func TestExportErrorIsLoggedWithoutTheURL(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(refusing.Close)
	for _, endpoint := range []string{refusing.URL + "/key", "http://127.0.0.1:1/key", "http://bad host/key"} {
		var log bytes.Buffer
		tracer := span.New(span.Config{Endpoint: endpoint, Log: slog.New(slog.NewTextHandler(&log, nil))})
		tracer.Start("", span.Server, "webhook").End()
		tracer.Close()
		if !strings.Contains(log.String(), "traces.export_failed") || strings.Contains(log.String(), "/key") {
			t.Errorf("%s: logged %s", endpoint, &log)
		}
	}
}
