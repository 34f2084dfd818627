package bus_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/archive"
	"callbridge/bus/audit"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/role"
	"callbridge/internal/testkit"
)

// acts reads the entries of the audit stream.
func acts(t *testing.T, config bus.Config, verb string, since time.Time) (all []audit.Entry) {
	t.Helper()
	err := bus.ReadArchive(t.Context(), config, "test", role.Reader, func(ctx context.Context, a archive.Archive) error {
		return a.Acts(ctx, verb, since, func(e audit.Entry) error {
			all = append(all, e)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEachActIsWrittenBeforeItIsAnswered, without a number, with the documented users.
func TestEachActIsWrittenBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	answering(t, b)
	operator := operating(b, config)
	testkit.Eventually(t, "the process answers", func() bool {
		_, err := ask(t, operator, dnc.VerbCheck, dnc.Request{Numbers: []string{person}})
		return err == nil
	})
	began := time.Now().UTC()
	hash := b.DNC().Key.Person(person)
	for _, c := range []struct {
		act  func() error
		want audit.Entry
	}{
		{func() error {
			_, err := bus.Stop(t.Context(), operator, control.Stop{Scope: control.Scope{Source: "crm"}, By: "ada", Why: "wrong price", Since: began})
			return err
		}, audit.Entry{Verb: audit.Stop, By: "ada", Why: "wrong price", What: "source crm"}},
		{func() error {
			_, err := bus.Resume(t.Context(), operator, control.Scope{}, true, control.Resume{By: "bob", Why: "corrected", At: began})
			return err
		}, audit.Entry{Verb: audit.Resume, By: "bob", Why: "corrected", What: "source crm"}},
		{func() error {
			_, err := ask(t, operator, dnc.VerbAdd, dnc.Request{Numbers: []string{person, person}, Scope: dnc.Scope{Route: "x"}, By: "ada", Why: "asked"})
			return err
		}, audit.Entry{Verb: audit.DNCAdd, By: "ada", Why: "asked", What: "route x", Persons: []string{hash}, Asked: 2}},
		{func() error {
			_, err := ask(t, operator, dnc.VerbAdd, dnc.Request{
				Key: b.DNC().Key.Check(), Listed: []dnc.Listed{{Person: strings.Repeat("a", 32), Entry: dnc.Entry{Since: began}}}, By: "ada", Why: "moved",
			})
			return err
		}, audit.Entry{Verb: audit.DNCAdd, By: "ada", Why: "moved", What: "as exported", Persons: []string{strings.Repeat("a", 32)}, Asked: 1}},
		{func() error {
			_, err := ask(t, operator, dnc.VerbRemove, dnc.Request{Numbers: []string{person}, All: true, By: "bob", Why: "agreed"})
			return err
		}, audit.Entry{Verb: audit.DNCRemove, By: "bob", Why: "agreed", What: "every entry", Persons: []string{hash}, Asked: 1}},
	} {
		before := len(acts(t, operator, "", time.Time{}))
		if err := c.act(); err != nil {
			t.Fatal(err)
		}
		all := acts(t, operator, "", time.Time{})
		if len(all) != before+1 {
			t.Fatalf("%d entries after %d", len(all), before)
		}
		got := all[before]
		c.want.At = got.At
		if testkit.JSON(t, got) != testkit.JSON(t, c.want) || got.At.Before(began) {
			t.Errorf("written %s, want %s", testkit.JSON(t, got), testkit.JSON(t, c.want))
		}
	}
	if n := len(acts(t, operator, audit.DNCAdd, time.Time{})); n != 2 {
		t.Errorf("%d entries of a verb", n)
	}
	if n := len(acts(t, operator, "", time.Now().Add(time.Minute))); n != 0 {
		t.Errorf("%d entries of the future", n)
	}
	if text, _ := json.Marshal(acts(t, operator, "", time.Time{})); strings.Contains(string(text), "2025550142") {
		t.Errorf("it has a number: %s", text)
	}
}

// TestTheAuditCannotBeChanged: a message is neither deleted nor purged, also not by an
// administrator of this stream.
func TestTheAuditCannotBeChanged(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	if _, err := bus.Stop(t.Context(), operating(b, config), everything()); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(user(t, b, role.Administrator))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "CALLBRIDGE_AUDIT")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("a message was deleted")
	}
	if err := s.Purge(t.Context()); err == nil {
		t.Error("the stream was purged")
	}
}

// TestAnActThatCannotBeWrittenIsToldAndCounts: a stop does not depend on the stream.
func TestAnActThatCannotBeWrittenIsToldAndCounts(t *testing.T) {
	t.Parallel()
	config := embedded(t)
	b := open(t, config)
	deleteStreams(t, jetStreamOf(t, b), "AUDIT")
	if _, err := bus.Stop(t.Context(), operating(b, config), everything()); err == nil || !strings.Contains(err.Error(), "it was done, but who did it could not be written") {
		t.Errorf("answered %v", err)
	}
	if !isStopped(t, b, "crm") {
		t.Error("not stopped")
	}
}
