package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// arrivals are the log lines of webhooks, as lines of the demo. All else that
// is logged is dropped.
type arrivals chan string

// shown are the attributes worth showing, in this order.
var shown = []string{"status", "requested", "duplicate", "skipped", "rejected", "pending", "reason", "error"}

// Enabled takes everything; Handle chooses.
func (arrivals) Enabled(context.Context, slog.Level) bool { return true }

// Handle makes a line of a webhook. When nobody reads, it is dropped.
func (a arrivals) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "webhook.received" {
		return nil
	}
	values := make([]string, len(shown))
	source := ""
	r.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "source" {
			source = attr.Value.String()
		}
		if i := slices.Index(shown, attr.Key); i >= 0 {
			values[i] = attr.Key + " " + attr.Value.String()
		}
		return true
	})
	line := fmt.Sprintf("webhook to /webhooks/%s:", source)
	for _, v := range values {
		if v != "" {
			line += " " + v
		}
	}
	select {
	case a <- line:
	default:
	}
	return nil
}

// WithAttrs and WithGroup are of no use to the demo.
func (a arrivals) WithAttrs([]slog.Attr) slog.Handler { return a }

// WithGroup returns the same handler.
func (a arrivals) WithGroup(string) slog.Handler { return a }
