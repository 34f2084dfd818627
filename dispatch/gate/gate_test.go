package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/control"
	"callbridge/bus/dnc"
	"callbridge/bus/people"
	"callbridge/bus/personkey"
	"callbridge/event"
	"callbridge/policy"
)

// ada is the number that is called.
const ada = event.Phone("+12025550142")

// fixture is a gate on an embedded server, at a time that tests set.
type fixture struct {
	*Gate
	t   testing.TB
	now atomic.Pointer[time.Time]
}

func newFixture(t testing.TB, p policy.Policy) *fixture {
	t.Helper()
	f := &fixture{t: t}
	f.at(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	p.Purpose, p.AnyTime = policy.Service, true
	f.Gate = &Gate{
		Bus: bustest.Open(t, bustest.Config(t)),
		Now: func(context.Context) (time.Time, error) { return *f.now.Load(), nil },
		Log: slog.New(slog.DiscardHandler),
		Policy: func(*event.Request) (policy.Policy, policy.Facts) {
			return p, policy.Facts{Consent: policy.Yes, DoNotCall: policy.No}
		},
	}
	return f
}

func (f *fixture) at(now time.Time) { f.now.Store(&now) }

func (f *fixture) after(d time.Duration) { f.at(f.now.Load().Add(d)) }

// first is the first attempt of a new request.
func first(source string) Call {
	return Call{Request: &event.Request{ID: uuid.New(), Route: "new-lead", Event: event.Event{Source: source}}, To: ada, Attempt: 1, Unsent: true}
}

func (f *fixture) judge(c Call) Judgement {
	f.t.Helper()
	j, err := f.Judge(f.t.Context(), c)
	if err != nil {
		f.t.Fatal(err)
	}
	return j
}

// want judges a call and expects "go", or an action and its reason.
func (f *fixture) want(what string, c Call, want string) Judgement {
	f.t.Helper()
	j := f.judge(c)
	got := strings.TrimSpace(string(j.Action) + " " + string(j.Reason))
	if got != want {
		f.t.Errorf("%s: %s (%s), want %s", what, got, j.Detail, want)
	}
	return j
}

// number is the number of the n-th person.
func number(n int) event.Phone { return event.Phone(fmt.Sprintf("+1202%07d", n)) }

func to(number event.Phone) Call {
	c := first("crm")
	c.To = number
	return c
}

func TestACapCountsAllRequestsOfAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{DayCap: 2})
	again := first("crm")
	f.want("the first call", again, "go")
	f.want("the second call, of another source", first("shop"), "go")
	j := f.want("the third call", first("crm"), "wait capped")
	if until := f.now.Load().Add(24 * time.Hour); !j.Until.Equal(until) {
		t.Errorf("waits until %s, want %s", j.Until, until)
	}
	f.want("the first request again", again, "go")
	another := first("crm")
	another.To = "+12025550143"
	f.want("another person", another, "go")
	f.after(24 * time.Hour)
	f.want("the next day", first("crm"), "go")
}

func TestAReservationIsGivenBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{DayCap: 1})
	c := first("crm")
	j := f.judge(c)
	f.after(time.Second)
	again := f.judge(c)
	if err := f.GiveBack(t.Context(), c, j); err != nil {
		t.Fatal(err)
	}
	f.want("another request, while that of the second judgement stands", first("crm"), "wait capped")
	if err := f.GiveBack(t.Context(), c, again); err != nil {
		t.Fatal(err)
	}
	f.want("another request", first("crm"), "go")
}

// TestAReservationThatMayHavePlacedACallStays: that of an attempt that was claimed.
func TestAReservationThatMayHavePlacedACallStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{DayCap: 1})
	c := first("crm")
	f.judge(c)
	// Its first attempt is unknown, its second one was certainly not sent.
	c.Attempt, c.Unsent = 2, false
	j := f.judge(c)
	if err := errors.Join(f.GiveBack(t.Context(), c, j), f.GiveBackUnsent(t.Context(), c, 1)); err != nil {
		t.Fatal(err)
	}
	f.want("another request", first("crm"), "wait capped")
	if err := f.GiveBackUnsent(t.Context(), c, 0); err != nil {
		t.Fatal(err)
	}
	f.want("another request, when no attempt was claimed", first("crm"), "go")
}

func TestGatesOfThePast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy policy.Policy
		past   people.Call
		want   string
	}{
		"a gap":                         {policy.Policy{Gap: time.Hour}, people.Call{At: ago(59 * time.Minute)}, "wait capped"},
		"after the gap":                 {policy.Policy{Gap: time.Hour}, people.Call{At: ago(time.Hour)}, "go"},
		"a cap of 30 days":              {policy.Policy{MonthCap: 1}, people.Call{At: ago(29 * 24 * time.Hour)}, "wait capped"},
		"after 30 days":                 {policy.Policy{MonthCap: 1}, people.Call{At: ago(30 * 24 * time.Hour)}, "go"},
		"declined, and cools down":      {cooling, people.Call{At: ago(59 * 24 * time.Hour), Class: "declined"}, "wait cooling_down"},
		"declined, long ago":            {cooling, people.Call{At: ago(60 * 24 * time.Hour), Class: "declined"}, "go"},
		"another class":                 {cooling, people.Call{At: ago(time.Minute), Class: "busy"}, "go"},
		"a call of which no end is set": {policy.Policy{DayCap: 9}, people.Call{At: ago(time.Minute), Open: true}, "wait on_call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c.policy)
			c.past.Request, c.past.Attempt = uuid.New(), 1
			if err := f.Bus.Memory().Reserve(t.Context(), ada.Reveal(), people.Document{}, 0, c.past); err != nil {
				t.Fatal(err)
			}
			f.want(name, first("crm"), c.want)
		})
	}
}

var cooling = policy.Policy{CoolDown: map[string]time.Duration{"declined": 60 * 24 * time.Hour}}

func ago(d time.Duration) time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).Add(-d) }

// TestTwoNeverUseTheLastCall: many requests for one person at the same moment.
func TestTwoNeverUseTheLastCall(t *testing.T) {
	t.Parallel()
	const limit = 3
	f := newFixture(t, policy.Policy{DayCap: limit})
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			j, err := f.Judge(t.Context(), first("crm"))
			if err != nil {
				t.Error(err)
			}
			if j.Action == policy.Go {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != limit {
		t.Errorf("%d calls, want %d", passed.Load(), limit)
	}
}

func TestAllStopsAndListsAreAsked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{})
	f.want("nothing forbids it", first("crm"), "go")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	operator := bus.Config{Prefix: "callbridge", URL: f.Bus.UserURL("operator")}
	for _, s := range []control.Stop{
		{Scope: control.Scope{Source: "crm"}, By: "ada", Why: "wrong agent", Since: time.Now(), Until: until},
		{Scope: control.Scope{Source: "shop"}, By: "ada", Why: "sale", Since: time.Now()},
	} {
		if _, err := bus.Stop(t.Context(), operator, s); err != nil {
			t.Fatal(err)
		}
	}
	if j := f.want("a source that is stopped", first("crm"), "wait stopped"); !j.Until.Equal(until) || !strings.Contains(j.Detail, "wrong agent") {
		t.Errorf("until %s: %s", j.Until, j.Detail)
	}
	if j := f.want("one that is stopped without an end", first("shop"), "wait stopped"); !j.Until.IsZero() {
		t.Errorf("until %s", j.Until)
	}
	f.want("another one", first("website"), "go")
	if _, err := f.Bus.DNC().Add(t.Context(), []string{ada.Reveal()}, dnc.Entry{By: "bob", Why: "called +12025550142 in vain", Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	j := f.want("a person on the list", first("website"), "skip do_not_call")
	if !strings.Contains(j.Detail, "in vain") || strings.Contains(j.Detail, "5550142") {
		t.Errorf("the detail is %q", j.Detail)
	}
	f.Listed = func(event.Phone) (string, bool, error) { return "line 7 of the file", true, nil }
	if j := f.want("a person in the file", first("website"), "skip do_not_call"); !strings.Contains(j.Detail, "line 7") {
		t.Errorf("the detail is %q", j.Detail)
	}
}

// TestWhatCannotBeReadMeansNoCall: the document of a person, the list of the process, or the
// person key.
func TestWhatCannotBeReadMeansNoCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{DayCap: 3})
	f.want("another person first", to("+12025550143"), "go")
	js, err := jetstream.New(f.Bus.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "callbridge.person."+f.Bus.Memory().Key.Person(ada.Reveal()), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	f.want("a document that is none", first("crm"), "wait unread")
	f.Listed = func(event.Phone) (string, bool, error) { return "", false, errors.New("no such file") }
	f.want("a file that is not there", to("+12025550143"), "wait unread")

	none := newFixture(t, policy.Policy{Gap: time.Minute})
	none.Bus.Memory().Key = personkey.Key{}
	if j := none.want("no person key", first("crm"), "wait unread"); !strings.Contains(j.Detail, "PERSON_KEY_FILE") {
		t.Errorf("the detail is %q", j.Detail)
	}
}

func TestFindingsShowEveryGate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{DayCap: 1})
	f.judge(first("crm"))
	findings := Findings(f.judge(first("crm")).Verdict)
	data, err := json.Marshal(findings)
	if err != nil {
		t.Fatal(err)
	}
	failing := 0
	for _, finding := range findings {
		if !finding.Passes {
			failing++
		}
	}
	if failing != 1 || !strings.Contains(string(data), `{"gate":"capped","passes":false,"value":"1 today, of 1","until":"2026-11-30T12:00:00Z"}`) || strings.Contains(string(data), "5550142") {
		t.Errorf("%d gates do not pass: %s", failing, data)
	}
}

// BenchmarkJudge is what the gates of one call cost.
func BenchmarkJudge(b *testing.B) {
	for name, p := range map[string]policy.Policy{"without caps": {}, "with a cap": {DayCap: 3, MonthCap: 8, Gap: time.Hour}} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b, p)
			n := 0
			for b.Loop() {
				c := first("crm")
				n++
				c.To = number(n)
				if j := f.judge(c); j.Action != policy.Go {
					b.Fatal(j.Reason)
				}
			}
		})
	}
}
