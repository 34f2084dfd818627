package span_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callbridge/internal/testkit"
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

// lost returns the number of spans that were lost, by cause.
func lost(t *testing.T, registry *prometheus.Registry) map[string]int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, m := range families[0].Metric {
		n[m.Label[0].GetValue()] = int(m.Counter.GetValue())
	}
	return n
}

func TestCollectorThatHangsHoldsAStopForTwoSeconds(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan struct{}, 100), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-ended
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(ended) })
	registry := prometheus.NewRegistry()
	var log testkit.Log
	tracer := span.New(span.Config{Endpoint: hanging.URL, Log: log.Logger(), Registry: registry})
	const spans = 5000
	for range spans {
		tracer.Start("", span.Server, "webhook").End()
	}
	<-asked // an export is running when the process stops
	begun := time.Now()
	tracer.Close()
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("the stop took %s, want 2 s", took)
	}
	n := lost(t, registry)
	if n["export_failed"]+n["stopping"] != spans || n["stopping"] == 0 || !strings.Contains(log.String(), "traces.dropped") {
		t.Errorf("lost %v of %d, logged %s", n, spans, &log)
	}
}

// A slow collector takes a thousand spans a second.
func TestManySpansAreAllExported(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		time.Sleep(200 * time.Millisecond)
		taken.Add(int64(strings.Count(string(body), `"spanId"`)))
	}))
	t.Cleanup(slow.Close)
	registry := prometheus.NewRegistry()
	tracer := span.New(span.Config{Endpoint: slow.URL, Log: slog.New(slog.DiscardHandler), Registry: registry})
	const spans = 7168 // of seven seconds
	for range spans {
		tracer.Start("", span.Server, "webhook").End()
	}
	// Before the 5 s are over, after which a batch is sent that is not full.
	testkit.Eventually(t, "all full batches are exported", func() bool { return taken.Load() >= spans-1024 })
	tracer.Close()
	if n := lost(t, registry); taken.Load() != spans || n["queue_full"] != 0 {
		t.Errorf("%d of %d spans were exported; lost %v", taken.Load(), spans, n)
	}
}

func TestSpansBeyondTheQueueAreCounted(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-ended
	}))
	t.Cleanup(hanging.Close)
	registry := prometheus.NewRegistry()
	tracer := span.New(span.Config{Endpoint: hanging.URL, Log: slog.New(slog.DiscardHandler), Registry: registry})
	t.Cleanup(tracer.Close)
	t.Cleanup(func() { close(ended) })
	for range 12_000 {
		tracer.Start("", span.Server, "webhook").End()
	}
	if n := lost(t, registry)["queue_full"]; n < 12_000-8192-1024 {
		t.Errorf("%d spans are counted as lost", n)
	}
}
