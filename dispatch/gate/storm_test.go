package gate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callbridge/bus"
	"callbridge/bus/control"
	"callbridge/policy"
)

// TestAStormStopsItsSource: in the processes together, for every request once, until
// somebody resumes it.
func TestAStormStopsItsSource(t *testing.T) {
	t.Parallel()
	const limit = 10
	f := newFixture(t, policy.Policy{Storm: policy.Storm{Calls: limit, Within: time.Hour}})
	other := &Gate{Bus: f.Bus, Now: f.Now, Policy: f.Policy, Log: f.Log}
	var all []Call
	for range limit {
		c := first("crm")
		c.Stored = time.Now()
		all = append(all, c)
	}
	for i, c := range all {
		gate := f.Gate
		if i%2 == 1 {
			gate = other
		}
		f.arrives(gate, fmt.Sprint("request ", i+1), c, "go")
	}
	f.arrives(f.Gate, "a request that has been counted", all[0], "go")
	one := first("crm")
	one.Stored = time.Now()
	if v := f.arrives(f.Gate, "one request more", one, "wait stopped"); !strings.Contains(v.Detail, "by storm: more than 10 requests within 1h0m0s") {
		t.Errorf("the detail is %q", v.Detail)
	}
	f.arrives(f.Gate, "another source", first("shop"), "go")

	operator := bus.Config{Prefix: "callbridge", URL: f.Bus.UserURL("operator")}
	ended, err := bus.Resume(t.Context(), operator, control.Scope{Source: "crm"}, false, control.Resume{By: "ada", At: time.Now()})
	if err != nil || len(ended) != 1 || ended[0].By != control.Storm {
		t.Fatalf("resume: %v, %v", ended, err)
	}
	f.want("the request, which was stored before", one, "go")
	f.arrives(f.Gate, "the request, if it is judged for the first time", one, "go")
	old := first("crm")
	old.Stored = time.Now().Add(-2 * time.Hour)
	f.arrives(f.Gate, "a request that is older than the time", old, "go")
	later := first("crm")
	later.Stored = time.Now().Add(time.Minute)
	f.arrives(f.Gate, "a request from after that", later, "wait stopped")
}

// arrives judges a request for the first time.
func (f *fixture) arrives(g *Gate, what string, c Call, want string) policy.Verdict {
	f.t.Helper()
	v, err := g.JudgeFirst(f.t.Context(), c, time.Now(), true)
	if got := strings.TrimSpace(string(v.Action) + " " + string(v.Reason)); got != want || err != nil {
		f.t.Errorf("%s: %s (%s), %v, want %s", what, got, v.Detail, err, want)
	}
	return v
}

// TestAStormKeepsTheStopOfAPerson, and its reason.
func TestAStormKeepsTheStopOfAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t, policy.Policy{})
	operator := bus.Config{Prefix: "callbridge", URL: f.Bus.UserURL("operator")}
	person := control.Stop{Scope: control.Scope{Source: "crm"}, By: "ada", Why: "wrong agent", Since: time.Now()}
	if _, err := bus.Stop(t.Context(), operator, person); err != nil {
		t.Fatal(err)
	}
	if err := f.Bus.StopSource(t.Context(), control.Stop{Scope: person.Scope, By: control.Storm, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	stops, err := f.Bus.Stopped(t.Context(), person.Scope)
	if err != nil || len(stops) != 1 || stops[0].By != "ada" {
		t.Errorf("%v, %v", stops, err)
	}
}
