package archive_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/bustest"
	"callbridge/bus/role"
	"callbridge/event"
)

// open starts a bus with its own server and returns a function that reads its archive
// as a command with a role does.
func open(t *testing.T) (*bus.Bus, func(as string, fn func(context.Context, archive.Archive) error)) {
	t.Helper()
	config := bustest.Config(t)
	b := bustest.Open(t, config)
	config.Embedded.Listen = b.ClientURL()[len("nats://"):]
	return b, func(as string, fn func(context.Context, archive.Archive) error) {
		t.Helper()
		if err := bus.ReadArchive(t.Context(), config, "test", as, fn); err != nil {
			t.Fatal(err)
		}
	}
}

func skipped(source string, n int) event.Item {
	e := event.Event{Source: source, Key: fmt.Sprint("lead-", n), Received: time.Now()}
	e.ID = event.EventID(source, e.Key)
	return event.Item{Result: &event.Result{
		RequestID: event.RequestID(e.ID, ""), Outcome: event.Skipped, Reason: event.ReasonNoRoute, Event: e, Time: e.Received,
	}}
}

func TestNewestReadsARangeBackwards(t *testing.T) {
	t.Parallel()
	b, read := open(t)
	const n = 2500 // more than the first block
	var items []event.Item
	for i := range n {
		items = append(items, skipped([]string{"crm", "website"}[i%2], i))
	}
	for begin := 0; begin < n; begin += 500 {
		if _, err := b.Store(t.Context(), "", items[begin:begin+500]...); err != nil {
			t.Fatal(err)
		}
	}
	var all []archive.Message
	for name, c := range map[string]struct {
		in   archive.Range
		want int
	}{
		"all":     {archive.Range{}, n},
		"source":  {archive.Range{Source: "crm"}, n / 2},
		"outcome": {archive.Range{Outcome: "accepted"}, 0},
		"future":  {archive.Range{Since: time.Now().Add(time.Hour)}, 0},
		"past":    {archive.Range{Until: time.Now().Add(-time.Hour)}, 0},
		"since":   {archive.Range{Since: time.Now().Add(-time.Hour), Outcome: "skipped"}, n},
		"before":  {archive.Range{Before: 11}, 10},
	} {
		var got []archive.Message
		read(role.Reader, func(ctx context.Context, a archive.Archive) error {
			return a.Newest(ctx, c.in, func(m archive.Message) error {
				if last := len(got) - 1; last >= 0 && m.Sequence >= got[last].Sequence {
					t.Errorf("%s: %d after %d", name, m.Sequence, got[last].Sequence)
				}
				if c.in.Source != "" && a.Source(m) != c.in.Source {
					t.Errorf("%s: has %s", name, m.Subject)
				}
				got = append(got, m)
				return nil
			})
		})
		if len(got) != c.want {
			t.Errorf("%s: %d results, want %d", name, len(got), c.want)
		}
		if name == "all" {
			all = got
		}
	}
	read(role.Reader, func(ctx context.Context, a archive.Archive) error {
		middle, count := all[n/2].At, 0
		err := a.Newest(ctx, archive.Range{Since: middle}, func(m archive.Message) error { count++; return nil })
		if count == 0 || count == n || err != nil {
			t.Errorf("since the middle: %d of %d, %v", count, n, err)
		}
		enough := errors.New("enough")
		if err := a.Newest(ctx, archive.Range{}, func(archive.Message) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("an error of the caller became %v", err)
		}
		return nil
	})
}

func TestOneRequestIsReadByItsID(t *testing.T) {
	t.Parallel()
	b, read := open(t)
	e := event.Event{ID: event.EventID("crm", "lead-1"), Source: "crm", Key: "lead-1", Received: time.Now()}
	id := event.RequestID(e.ID, "new-lead")
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	_, err := b.Store(t.Context(), trace,
		event.Item{Request: &event.Request{ID: id, Route: "new-lead", Call: []byte(`{"call_to":"+12025550142"}`), Event: e}},
		event.Item{Pending: &event.Pending{Event: e}}, skipped("crm", 1))
	if err != nil {
		t.Fatal(err)
	}
	revision := uint64(0)
	for _, state := range []string{"claimed", "accepted"} {
		if revision, err = b.Ledger().Put(t.Context(), id, []byte(`{"state":"`+state+`"}`), revision); err != nil {
			t.Fatal(err)
		}
	}
	read(role.Operator, func(ctx context.Context, a archive.Archive) error {
		for name, find := range map[string]func(context.Context, uuid.UUID) (archive.Message, bool, error){"request": a.Request, "closed": a.Closed, "pending": a.Pending} {
			of, want := id, name == "request"
			if name == "pending" {
				of, want = e.ID, true
			}
			m, found, err := find(ctx, of)
			if err != nil || found != want || found && (a.Source(m) != "crm" || m.Trace != trace || len(m.Data) == 0 || m.At.IsZero()) {
				t.Errorf("%s: %+v, %v, %v", name, m, found, err)
			}
		}
		records, err := a.Records(ctx, id)
		if err != nil || len(records) != 2 || string(records[1].Data) != `{"state":"accepted"}` {
			t.Errorf("records %v, %v", records, err)
		}
		results, err := a.Results(ctx, event.RequestID(event.EventID("crm", "lead-1"), ""))
		if err != nil || len(results) != 1 || a.Source(results[0]) != "crm" {
			t.Errorf("results %v, %v", results, err)
		}
		none, err := a.Results(ctx, uuid.New())
		if err != nil || none != nil {
			t.Errorf("results of nothing: %v, %v", none, err)
		}
		return nil
	})
}
