package history_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/bustest"
	"callbridge/bus/role"
	"callbridge/event"
	"callbridge/history"
)

// BenchmarkHistory asks about HISTORY_EVENTS stored events, 10,000 by default. Times of the
// whole question, without the connection: docs/decisions/0031-history.md.
func BenchmarkHistory(b *testing.B) {
	n := 10_000
	if text := os.Getenv("HISTORY_EVENTS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	config := bustest.Config(b)
	opened := bustest.Open(b, config)
	const batch = 1000
	for begin := 0; begin < n; begin += batch {
		var items []event.Item
		for i := begin; i < begin+batch; i++ {
			reason := event.ReasonNoRoute
			if i%50 == 0 {
				reason = event.ReasonDryRun
			}
			items = append(items, result(lead("crm", fmt.Sprint("lead-", i)), "new-lead", event.Skipped, reason, "no route wants this event"))
		}
		if _, err := opened.Store(context.Background(), "", items...); err != nil {
			b.Fatal(err)
		}
	}
	config.Embedded.Listen = opened.ClientURL()[len("nats://"):]
	middle := lead("crm", fmt.Sprint("lead-", n/2))
	where, err := history.CompileWhere(`data.email == "nobody"`)
	if err != nil {
		b.Fatal(err)
	}
	err = bus.ReadArchive(b.Context(), config, "bench", role.Operator, func(ctx context.Context, a archive.Archive) error {
		why := func(text string) error {
			found, err := history.Locate(ctx, a, names, text)
			for _, e := range found.Events {
				_, err = history.Why(ctx, a, names, e)
			}
			return err
		}
		find := func(q history.Query) error { _, err := history.Find(ctx, a, q); return err }
		for _, c := range []struct {
			name string
			ask  func() error
		}{
			{"why key", func() error { return why(middle.Key) }},
			{"why event id", func() error { return why(middle.ID.String()) }},
			{"why request id", func() error { return why(event.RequestID(middle.ID, "new-lead").String()) }},
			{"why number", func() error { return why("+12025550199") }},
			{"find reason", func() error { return find(history.Query{Reason: "dry_run", Since: time.Now().Add(-24 * time.Hour)}) }},
			{"find newest", func() error { return find(history.Query{Limit: 100}) }},
			{"find where", func() error { return find(history.Query{Where: where}) }},
		} {
			b.Run(c.name, func(b *testing.B) {
				for b.Loop() {
					if err := c.ask(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
