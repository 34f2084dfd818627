package dispatch_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/bus/bustest"
	"callbridge/bus/dnc"
	"callbridge/bus/personkey"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/internal/testkit"
)

// forbid puts a number on the list of people who must not be called.
func (f *fixture) forbid(number string, s dnc.Scope) {
	f.t.Helper()
	if _, err := f.bus.DNC().Add(f.t.Context(), []string{number}, dnc.Entry{Scope: s, By: "ada@example", Why: "asked", Since: time.Now().UTC()}); err != nil {
		f.t.Fatal(err)
	}
}

// TestNobodyOnTheListIsCalled, whoever has requested the call, and everybody else is.
func TestNobodyOnTheListIsCalled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.forbid("+12025550142", dnc.Scope{})
	f.forbid("+12025550143", dnc.Scope{Source: "crm"})
	f.forbid("+12025550144", dnc.Scope{Source: "website", Route: "new-lead"})
	f.run(fast(), good)
	noRoute := request("lead-5", "+12025550143")
	noRoute.Event.Source, noRoute.Route = "crm", ""
	want := map[string]event.Reason{}
	for r, reason := range map[*event.Request]event.Reason{
		new(request("lead-1", "+12025550142")): event.ReasonDoNotCall,
		new(request("lead-2", "+12025550143")): event.ReasonCreated, // of another source
		new(request("lead-3", "+12025550144")): event.ReasonDoNotCall,
		new(request("lead-4", "+12025550145")): event.ReasonCreated,
		&noRoute:                               event.ReasonDoNotCall,
	} {
		want[r.ID.String()] = reason
		f.send(*r)
	}
	for range len(want) {
		got := f.result()
		if got.Reason != want[got.RequestID.String()] {
			t.Errorf("%s ended %s (%s: %s), want %s", got.Event.Key, got.Outcome, got.Reason, got.Detail, want[got.RequestID.String()])
		}
		if got.Reason == event.ReasonDoNotCall && (got.Outcome != event.Skipped || !strings.Contains(got.Detail, "asked")) {
			t.Errorf("%s ended %s: %s", got.Event.Key, got.Outcome, got.Detail)
		}
	}
	f.done()
	if n := f.sim.Posts(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// TestAListThatCannotBeReadForbidsAllCalls: neither the file of the process nor the list on
// NATS. What waits is called when it can be read.
func TestAListThatCannotBeReadForbidsAllCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	f.forbid("+12025550199", dnc.Scope{})
	r := request("lead-1", "+12025550142")
	if _, err := f.js.Publish(t.Context(), "callbridge.dnc.person."+f.bus.DNC().Key.Person("+12025550142"), []byte("not a document")); err != nil {
		t.Fatal(err)
	}
	config := fast()
	var listed atomic.Pointer[error]
	config.Listed = func(event.Phone) (string, bool, error) {
		if err := listed.Load(); err != nil {
			return "", false, *err
		}
		return "", false, nil
	}
	f.run(config, good)
	f.send(r)
	testkit.Eventually(t, "the request was delivered twice", func() bool { return f.consumer().NumRedelivered > 0 })
	unread := errors.New("the file cannot be read")
	listed.Store(&unread)
	if _, err := f.bus.DNC().Add(t.Context(), []string{"+12025550142"}, dnc.Entry{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.bus.DNC().Remove(t.Context(), []string{"+12025550142"}, dnc.Scope{}, false, dnc.Removal{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the request was delivered again", func() bool { return f.consumer().NumRedelivered > 0 })
	if n := f.sim.Posts(); n != 0 {
		t.Fatalf("%d calls although the list cannot be read", n)
	}
	listed.Store(nil)
	if got := f.result(); got.RequestID != r.ID || got.Outcome != event.Accepted || f.dialled(r.ID) != 1 {
		t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
}

// TestNobodyIsCalledAfterBeingPutOnTheList while two processes place calls to this person
// as fast as they can.
func TestNobodyIsCalledAfterBeingPutOnTheList(t *testing.T) {
	t.Parallel()
	const events = 300
	own := bustest.Config(t)
	f := newFixtureOn(t, callabsim.Options{Latency: 20 * time.Millisecond}, own)
	config := bustest.Remote(f.bus.UserURL("bridge"))
	config.PersonKeyFile = filepath.Join(own.Embedded.Dir, personkey.FileName)
	other := bustest.Open(t, config)
	f.sendMany(events)
	f.run(fast(), good)
	f.runOn(other, f.url, fast(), good)
	testkit.Eventually(t, "calls are placed", func() bool { return f.sim.Posts() > 20 })
	f.forbid("+12025550142", dnc.Scope{})
	added := time.Now()
	f.done()
	placed := f.sim.Placed()
	if len(placed) >= events {
		t.Fatal("all calls were placed before")
	}
	last := time.Duration(0)
	for _, p := range placed {
		last = max(last, p.Time.Sub(added))
	}
	if last > time.Second {
		t.Errorf("a call was placed %s after the answer", last)
	}
	t.Logf("%d of %d calls; the last one %s after the answer", len(placed), events, last)
}
