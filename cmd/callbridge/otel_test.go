package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"callbridge/event"
	"callbridge/span"
)

// collector receives spans as OTLP over HTTP.
type collector struct {
	mu     sync.Mutex
	bodies []string
	spans  map[string]received // by name
	key    string
}

type received struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body json.RawMessage
	var sent struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []received }
		}
	}
	if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" ||
		json.NewDecoder(r.Body).Decode(&body) != nil || json.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies, c.key = append(c.bodies, string(body)), r.Header.Get("X-Key")
	for _, rs := range sent.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.spans[s.Name] = s
			}
		}
	}
	_, _ = w.Write([]byte("{}"))
}

func TestSpansOfOneWebhookAreOneChain(t *testing.T) {
	t.Parallel()
	c := &collector{spans: map[string]received{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	w := markedWorld(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL + "/", "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20key",
		"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
	})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w.send("/webhooks/crm", `{"id":"looked up","contact":1}`, http.Header{"X-Token": {"marked-sender-secret"}, "Traceparent": {parent}})
	got := w.result()
	if got.Outcome != event.Accepted {
		t.Fatalf("ended %s (%s)", got.Outcome, got.Detail)
	}
	if err := w.stop(); err != nil { // the last spans leave now
		t.Fatal(err)
	}
	before := "b7ad6b7169203331"
	for _, step := range []struct {
		name string
		kind span.Kind
	}{
		{"POST /webhooks/:source", span.Server}, {"look up event", span.Consumer}, {"process request", span.Consumer},
		{"dial attempt", span.Internal}, {"POST Callab call", span.Client},
	} {
		s := c.spans[step.name]
		if s.TraceID != "0af7651916cd43dd8448eb211c80319c" || s.ParentSpanID != before || s.SpanID == "" || s.Kind != int(step.kind) {
			t.Errorf("%s: %+v does not follow %s", step.name, s, before)
		}
		before = s.SpanID
	}
	result, ok := span.Parse(got.TraceParent)
	if s := c.spans["publish result"]; s.ParentSpanID != c.spans["process request"].SpanID || !ok || !strings.Contains(string(result), s.TraceID+"-"+s.SpanID) {
		t.Errorf("the result has %s, its span is %+v", got.TraceParent, s)
	}
	if c.key != "a key" || !strings.Contains(c.bodies[0], "deployment.environment.name") {
		t.Errorf("key %q in %s", c.key, c.bodies[0])
	}
	for _, hidden := range []string{"-secret", "5550143", demoToken} {
		if strings.Contains(strings.Join(c.bodies, ""), hidden) {
			t.Errorf("a span shows %q", hidden)
		}
	}
}
