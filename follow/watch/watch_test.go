package watch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"callbridge/bus"
	"callbridge/bus/bustest"
	"callbridge/bus/dnc"
	"callbridge/bus/people"
	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/event"
	"callbridge/follow"
	"callbridge/follow/watch"
	"callbridge/internal/testkit"
)

// speed is how much faster than real time the calls live. Each has a life of some minutes.
const speed = 300

// fixture is a bus, a simulated Callab whose calls have a life, and a clock that runs fast.
type fixture struct {
	t     *testing.T
	bus   *bus.Bus
	sim   *callabsim.Sim
	url   string
	begun time.Time
	ends  <-chan *nats.Msg
	calls int
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, bus: bustest.Open(t, bustest.Config(t)), begun: time.Now()}
	f.sim = callabsim.New(callabsim.Options{Clock: f.now, Life: &callabsim.Life{}})
	server := httptest.NewServer(f.sim)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	f.url = server.URL
	f.ends = testkit.Subscribe(t, f.bus.Conn(), "callbridge.result.ended.>", "callbridge.result.analysed.>")
	return f
}

func (f *fixture) now() time.Time { return f.begun.Add(speed * time.Since(f.begun)) }

// run follows calls until the returned function is called.
func (f *fixture) run(point func(string)) (cancel, stop func()) {
	f.t.Helper()
	api, err := callab.New(callab.Config{URL: f.url + "/v1", Token: func() string { return "t" }, Timeout: 5 * time.Second})
	if err != nil {
		f.t.Fatal(err)
	}
	pace := follow.DefaultPace()
	pace.GiveUp = 30 * time.Minute
	w, err := watch.New(f.bus, api, watch.Config{
		Rate: 200, Pace: pace, Now: f.now, Lease: 2 * time.Second, Point: point,
		Wait: func(ctx context.Context, d time.Duration) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(d / speed):
				return nil
			}
		},
	}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	f.t.Cleanup(stop)
	return cancel, stop
}

// place places a call with a fate, and publishes that it was accepted.
func (f *fixture) place(fate callabsim.Fate) event.Result {
	f.t.Helper()
	f.calls++
	number := fmt.Sprintf("+1202555%04d", 100+f.calls)
	f.sim.SetFate(number, fate)
	body := fmt.Sprintf(`{"ai_agent_id":"3f8f3a52-6f0e-4d2a-9a57-0d8e0a3f1c11","call_from":"+12025550100","call_to":%q}`, number)
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url+"/v1/calls", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer t")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(answer, &envelope); err != nil || !strings.Contains(string(envelope.Data), `"id"`) {
		f.t.Fatalf("%s: %v", answer, err)
	}
	r := event.Result{
		RequestID: uuid.New(), Outcome: event.Accepted, Reason: event.ReasonCreated, Request: json.RawMessage(body), Call: envelope.Data,
		Event: event.Event{Source: "website", Key: "lead", Data: json.RawMessage(`{}`)}, Time: f.now(),
	}
	if err := f.bus.PublishResult(f.t.Context(), r); err != nil {
		f.t.Fatal(err)
	}
	return r
}

// reserve remembers the call of a request, as dispatch does before its claim.
func (f *fixture) reserve(r event.Result) {
	f.t.Helper()
	number := event.Item{Result: &r}.CallTo()
	d, revision, err := f.bus.Memory().Read(f.t.Context(), number)
	if err == nil {
		err = f.bus.Memory().Reserve(f.t.Context(), number, d, revision, people.Call{Request: r.RequestID, Attempt: 1, At: f.now()})
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) class(r event.Result) string {
	f.t.Helper()
	d, _, err := f.bus.Memory().Read(f.t.Context(), event.Item{Result: &r}.CallTo())
	if err != nil {
		f.t.Fatal(err)
	}
	own, _ := d.Of(r.RequestID)
	return own.Class
}

func (f *fixture) forbidden(r event.Result) bool {
	f.t.Helper()
	_, is, err := f.bus.DoNotCall(f.t.Context(), event.Phone(event.Item{Result: &r}.CallTo()), dnc.Scope{})
	if err != nil {
		f.t.Fatal(err)
	}
	return is
}

// next returns the next result, and checks its subject.
func (f *fixture) next() event.Result {
	f.t.Helper()
	msg := testkit.Next(f.t, f.ends)
	var r event.Result
	if err := event.Unmarshal(msg.Data, &r); err != nil {
		f.t.Fatal(err)
	}
	want := "callbridge.result." + string(r.Outcome) + ".website." + r.RequestID.String()
	if r.Outcome == event.Ended {
		want += "." + string(r.Reason)
	}
	if msg.Subject != want || r.End == nil || r.End.Class != r.Reason || r.End.Attempt != 1 || !r.End.Final || r.End.Accepted.IsZero() {
		f.t.Errorf("%s: %s", msg.Subject, msg.Data)
	}
	return r
}

// TestEveryCallEndsOnce: each fate has its class, one ended result, and one analysed one
// unless its end was not seen.
func TestEveryCallEndsOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	want := map[callabsim.Fate]event.Reason{
		callabsim.Reached: event.ReasonReached, callabsim.Voicemail: event.ReasonVoicemail, callabsim.NoAnswer: event.ReasonNoAnswer,
		callabsim.Busy: event.ReasonBusy, callabsim.Failed: event.ReasonProviderFailed, callabsim.Gone: event.ReasonUnresolved,
		callabsim.Screening: event.ReasonScreened, callabsim.OptOut: event.ReasonReached, callabsim.Regress: event.ReasonReached,
		callabsim.LateAnalysis: event.ReasonReached, callabsim.Stuck: event.ReasonUnresolved, callabsim.UnknownWord: event.ReasonUnresolved,
		callabsim.RetryAt: event.ReasonNoAnswer,
	}
	fates, results := map[uuid.UUID]callabsim.Fate{}, map[callabsim.Fate]event.Result{}
	for fate := range want {
		r := f.place(fate)
		f.reserve(r)
		fates[r.RequestID], results[fate] = fate, r
	}
	f.run(nil)
	type key struct {
		fate    callabsim.Fate
		outcome event.Outcome
	}
	got := map[key]event.Result{}
	for left := 2*len(want) - 3; left > 0; left-- { // three are unresolved
		r := f.next()
		k := key{fates[r.RequestID], r.Outcome}
		if _, twice := got[k]; twice {
			t.Errorf("%s: %s twice", k.fate, k.outcome)
		}
		got[k] = r
		if r.Outcome == event.Ended && f.class(r) != string(r.Reason) {
			t.Errorf("%s: ended as %s, and remembered as %q", k.fate, r.Reason, f.class(r))
		}
	}
	for fate, class := range want {
		if r := got[key{fate, event.Ended}]; r.Reason != class {
			t.Errorf("%s: ended as %q, want %s (%s)", fate, r.Reason, class, r.Detail)
		}
	}
	for fate, flag := range map[callabsim.Fate]string{callabsim.OptOut: "opt_out", callabsim.RetryAt: "callab_retries", callabsim.UnknownWord: "status_unknown"} {
		if r := got[key{fate, event.Ended}]; !slices.Contains(r.End.Flags, flag) {
			t.Errorf("%s has the flags %q", fate, r.End.Flags)
		}
	}
	reached := got[key{callabsim.Reached, event.Ended}]
	if !strings.Contains(string(reached.Call), `"transcript"`) || !strings.Contains(string(reached.End.Answers), `"answered_by"`) || reached.End.Ended.IsZero() {
		t.Errorf("the result lacks what Callab says: %+v", reached.End)
	}
	if !f.forbidden(results[callabsim.OptOut]) || f.forbidden(results[callabsim.Reached]) {
		t.Error("not exactly the person who asked for it is on the do-not-call list")
	}
}

// TestAKillBetweenAnyTwoStepsChangesNothing: another process takes over and finishes.
func TestAKillBetweenAnyTwoStepsChangesNothing(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"looked", "listed", "remembered", "ended"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			r := f.place(callabsim.OptOut)
			f.reserve(r)
			killed, dead := make(chan struct{}), make(chan struct{})
			var once bool
			cancel, stop := f.run(func(name string) {
				// The first look finds the call open, so it is the end that is cut off.
				if name == at && f.now().Sub(r.Time) > 75*time.Second && !once {
					once = true
					close(killed)
					<-dead // this process does nothing more
				}
			})
			testkit.Next(t, killed)
			cancel()
			close(dead)
			stop()
			f.run(nil)
			var outcomes []event.Outcome
			for len(outcomes) < 2 {
				got := f.next()
				outcomes = append(outcomes, got.Outcome)
				if got.Outcome == event.Ended && (f.class(r) != "reached" || !f.forbidden(r)) {
					t.Errorf("ended was published before the class %q and the opt-out", f.class(r))
				}
			}
			if !slices.Equal(outcomes, []event.Outcome{event.Ended, event.Analysed}) {
				t.Errorf("published %v", outcomes)
			}
		})
	}
}

// TestATroubledAPIOnlyDelays: whatever cannot be read says nothing about a call.
func TestATroubledAPIOnlyDelays(t *testing.T) {
	t.Parallel()
	for _, kind := range []callabsim.Kind{callabsim.Garbage, callabsim.ErrorBefore, callabsim.Throttle, callabsim.Unauthorized, callabsim.CutBefore, callabsim.NoID} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			r := f.place(callabsim.NoAnswer)
			f.sim.Fail(callabsim.Fault{Kind: kind, On: callabsim.OnGet, Times: 3})
			f.run(nil)
			if got := f.next(); got.RequestID != r.RequestID || got.Reason != event.ReasonNoAnswer {
				t.Errorf("ended as %s: %s", got.Reason, got.Detail)
			}
		})
	}
}

// TestOneProcessFollows: two processes look at a call as often as one, and the second takes
// over.
func TestOneProcessFollows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, stop := f.run(nil)
	f.run(nil)
	first := f.place(callabsim.Busy)
	if got := f.next(); got.RequestID != first.RequestID || got.Outcome != event.Ended {
		t.Errorf("got %s", got.Outcome)
	}
	stop()
	second := f.place(callabsim.Busy)
	for {
		if got := f.next(); got.RequestID == second.RequestID {
			return
		}
	}
}
