package span

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Config says where spans go.
type Config struct {
	// Endpoint is the whole URL that takes OTLP over HTTP; empty for nowhere.
	Endpoint string
	// Header goes with each request, such as a key.
	Header map[string]string
	// Resource are the attributes of this process.
	Resource map[string]string
	Log      *slog.Logger
}

// What OpenTelemetry's batch span processor and exporter do by default.
const (
	maxQueue      = 2048
	maxBatch      = 512
	batchEvery    = 5 * time.Second
	exportTimeout = 10 * time.Second
)

// stopTimeout is how long the last spans of a process may take to leave.
const stopTimeout = 2 * time.Second

// Tracer sends spans off in batches. It never makes a step wait: spans for
// which there is no room, and those that the endpoint does not take, are lost.
// A nil Tracer passes traces on and records nothing.
type Tracer struct {
	config  Config
	client  *http.Client
	queue   chan ended
	stop    chan struct{}
	stopped chan struct{}
}

// New starts a Tracer; nil without an endpoint.
func New(config Config) *Tracer {
	if config.Endpoint == "" {
		return nil
	}
	t := &Tracer{
		config: config, client: &http.Client{Timeout: exportTimeout},
		queue: make(chan ended, maxQueue), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go t.run()
	return t
}

// Close sends what is left and ends the Tracer. It is called once, after the
// last End.
func (t *Tracer) Close() {
	if t != nil {
		close(t.stop)
		<-t.stopped
	}
}

func (t *Tracer) record(s ended) {
	select {
	case t.queue <- s:
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
		case <-t.stop:
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			t.flush(ctx, failing)
			return
		}
		failing = t.flush(context.Background(), failing)
	}
}

// flush sends all that waits. The log tells when that begins to fail, and when
// it works again.
func (t *Tracer) flush(ctx context.Context, failing bool) bool {
	for len(t.queue) > 0 {
		batch := make([]ended, 0, maxBatch)
		for len(batch) < maxBatch && len(t.queue) > 0 {
			batch = append(batch, <-t.queue)
		}
		err := t.export(ctx, batch)
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

func (t *Tracer) export(ctx context.Context, batch []ended) error {
	body, err := encode(t.config.Resource, batch)
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.config.Endpoint, body)
	if err != nil {
		return fmt.Errorf("send spans: %w", withoutURL(err))
	}
	for name, value := range t.config.Header {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := t.client.Do(request)
	if err != nil {
		return fmt.Errorf("send spans: %w", withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode >= 300 {
		return fmt.Errorf("send spans: answered HTTP %d", response.StatusCode)
	}
	return nil
}

// withoutURL drops the address, in which a key may stand.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
