package demo

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// Log is a slog.Handler that turns the log lines of webhooks into lines of the demo
// and drops all others.
type Log chan string

// webhookAttributes are the attributes that are printed, in this order.
var webhookAttributes = []string{"status", "requested", "duplicate", "skipped", "rejected", "pending", "reason", "error"}

// Enabled accepts all levels; Handle selects the lines.
func (Log) Enabled(context.Context, slog.Level) bool { return true }

// Handle formats a webhook. It drops the line when the channel is full.
func (l Log) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "webhook.received" {
		return nil
	}
	values := make([]string, len(webhookAttributes))
	source := ""
	r.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "source" {
			source = attr.Value.String()
		}
		if i := slices.Index(webhookAttributes, attr.Key); i >= 0 {
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
	case l <- line:
	default:
	}
	return nil
}

// WithAttrs returns the same handler: the demo does not print attributes of a logger.
func (l Log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns the same handler.
func (l Log) WithGroup(string) slog.Handler { return l }
