package dispatch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/callab/callabsim"
	"callbridge/event"
)

// withNotes returns the request with notes of its own.
func withNotes(t testing.TB, r event.Request, notes string) event.Request {
	t.Helper()
	var call callab.NewCall
	if err := json.Unmarshal(r.Call, &call); err != nil {
		t.Fatal(err)
	}
	call.Notes = notes
	body, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	r.Call = body
	return r
}

// TestNotesWithOurNameAreNotAnotherID: every call is placed and its answer lost.
// Whatever Callab forgets and whatever the notes say, one person is called once.
func TestNotesWithOurNameAreNotAnotherID(t *testing.T) {
	t.Parallel()
	const variables = "agent_dynamic_variables"
	for name, c := range map[string]struct {
		notes    string
		forgets  []string
		makeCall bool
		reason   event.Reason
	}{
		"our name":                          {"callbridge lead of Ada", []string{"metadata"}, false, event.ReasonFound},
		"our name, no notes returned":       {"callbridge lead of Ada", []string{"metadata", "notes"}, false, event.ReasonNotFound},
		"form text with our name":           {"Message: callbridge x", []string{"metadata"}, false, event.ReasonFound},
		"form text like an id":              {"callbridge 00000000-0000-5000-8000-000000000000", []string{"metadata"}, false, event.ReasonFound},
		"no notes of its own, none kept":    {"", []string{"metadata", "notes"}, false, event.ReasonNotFound},
		"make-call returns the variable":    {"callbridge lead of Ada", []string{"metadata"}, true, event.ReasonFound},
		"make-call returns nothing we sent": {"callbridge lead of Ada", []string{"metadata", variables}, true, event.ReasonNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{Forgets: c.forgets, Faults: []callabsim.Fault{
				{Kind: callabsim.ErrorAfter, Times: callabsim.Always},
			}})
			config := fast()
			config.Redial, config.MakeCall = true, c.makeCall
			f.run(config, good)
			f.send(withNotes(t, request("lead-1", "+12025550142"), c.notes))
			if got := f.result(); got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s", got.Outcome, got.Reason, got.Detail, c.reason)
			}
			f.done()
			if n := len(f.sim.Placed()); n != 1 {
				t.Errorf("one person was called %d times, want 1", n)
			}
		})
	}
}

// TestCallOfAnotherPersonIsNotOurs: a form text that predicts our id makes no
// call that was never placed accepted. A call to the same number that holds our id
// beside another one may be ours: it prevents a second one.
func TestCallOfAnotherPersonIsNotOurs(t *testing.T) {
	t.Parallel()
	const to = "+12025550142"
	r := request("lead-1", to)
	other := request("lead-2", to).ID.String()
	for name, c := range map[string]struct {
		call    callabsim.Call
		reason  event.Reason
		dialled int
	}{
		"metadata of another request": {callabsim.Call{CallTo: to, Notes: "callbridge " + r.ID.String(), Metadata: map[string]any{event.RequestKey: other}}, event.ReasonNotFound, 0},
		"variable of another request": {callabsim.Call{CallTo: to, Notes: "callbridge " + r.ID.String(), AgentDynamicVariables: map[string]any{event.RequestKey: other}}, event.ReasonNotFound, 0},
		"our id amid its text":        {callabsim.Call{CallTo: to, Notes: "callbridge " + r.ID.String() + "\ncallbridge " + other}, event.ReasonNotFound, 0},
		"another number":              {callabsim.Call{CallTo: "+12025550143", Notes: "callbridge " + r.ID.String()}, event.ReasonCreated, 1},
		"another request":             {callabsim.Call{CallTo: to, Notes: "callbridge " + other}, event.ReasonCreated, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{})
			f.claimed(r, "embedded-an ended process")
			c.call.ID = "22222222-0000-4000-8000-000000000000"
			f.sim.AddCalls(c.call)
			config := fast()
			config.Redial = true
			f.run(config, good)
			f.send(r)
			if got := f.result(); got.Reason != c.reason {
				t.Errorf("ended %s (%s: %s), want %s", got.Outcome, got.Reason, got.Detail, c.reason)
			}
			if n := f.dialled(r.ID); n != c.dialled {
				t.Errorf("dialled %d times, want %d", n, c.dialled)
			}
		})
	}
}

// rewriting serves the simulator, but with a list whose calls change has rewritten.
// Its search looks at what is rewritten, and its calls are all on the first page.
func (f *fixture) rewriting(change func(map[string]any)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			f.sim.ServeHTTP(w, r)
			return
		}
		query, recorded := r.URL.Query(), httptest.NewRecorder()
		r.URL.RawQuery = "per_page=100"
		f.sim.ServeHTTP(recorded, r)
		var answer struct {
			Status string           `json:"status"`
			Data   []map[string]any `json:"data"`
		}
		if err := json.Unmarshal(recorded.Body.Bytes(), &answer); err != nil {
			f.t.Error(err)
		}
		if query.Get("page") != "" {
			answer.Data = answer.Data[:0]
		}
		for _, call := range answer.Data {
			change(call)
		}
		answer.Data = slices.DeleteFunc(answer.Data, func(call map[string]any) bool {
			return !strings.Contains(fmt.Sprint(call["call_to"], " ", call["notes"]), query.Get("search"))
		})
		_ = json.NewEncoder(w).Encode(answer)
	}))
	f.t.Cleanup(server.Close)
	return server.URL
}

// TestListThatIsWrittenOtherwiseCausesNoSecondCall: each answer is lost, and the
// list shows calls in forms that Callab does not document.
func TestListThatIsWrittenOtherwiseCausesNoSecondCall(t *testing.T) {
	t.Parallel()
	forget := func(call map[string]any, names ...string) {
		for _, name := range append(names, "metadata", "agent_dynamic_variables") {
			delete(call, name)
		}
	}
	const older = "\ncallbridge 00000000-0000-5000-8000-000000000000"
	for name, change := range map[string]func(map[string]any){
		"national number, nothing kept":  func(c map[string]any) { forget(c, "notes"); c["call_to"] = "(202) 555-0142" },
		"national number, metadata kept": func(c map[string]any) { c["call_to"], c["notes"] = "202-555-0142", "" },
		"masked number, nothing kept":    func(c map[string]any) { forget(c, "notes"); c["call_to"] = "+1******0142" },
		"number as a number":             func(c map[string]any) { forget(c, "notes"); c["call_to"] = 12025550142 },
		"no number, nothing kept":        func(c map[string]any) { forget(c, "notes", "call_to") },
		"local time without a zone":      func(c map[string]any) { forget(c, "notes"); c["created_at"] = local(-8 * time.Hour) },
		"local time, notes kept":         func(c map[string]any) { forget(c); c["created_at"] = local(-12 * time.Hour) },
		"older notes after ours":         func(c map[string]any) { forget(c); c["notes"] = fmt.Sprint(c["notes"], older) },
		"variables of an earlier call": func(c map[string]any) {
			forget(c)
			c["agent_dynamic_variables"] = map[string]any{event.RequestKey: older[12:]}
		},
		"notes cut, nothing else kept":    func(c map[string]any) { forget(c); c["notes"] = "Lead of Ada callbr" },
		"id in capitals and braces":       func(c map[string]any) { forget(c); c["notes"] = strings.ToUpper(fmt.Sprint("{", c["notes"], "}")) },
		"metadata as text, nothing kept":  func(c map[string]any) { forget(c, "notes"); c["metadata"] = "{}" },
		"all texts null, time as seconds": func(c map[string]any) { forget(c, "notes"); c["created_at"] = time.Now().Unix() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.ErrorAfter, Times: callabsim.Always}}})
			f.wantOneCall(f.rewriting(change))
		})
	}
	t.Run("oldest first", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, callabsim.Options{
			Faults: []callabsim.Fault{{Kind: callabsim.ErrorAfter, Times: callabsim.Always}}, Forgets: []string{"metadata", "notes"},
		})
		for i, c := range others(60, "+12025550142", time.Hour) {
			c.CreatedAt = c.CreatedAt.Add(-time.Duration(i) * time.Hour)
			f.sim.AddCalls(c)
		}
		f.wantOneCall(f.inPages(func(a, b callabsim.Call) int { return a.CreatedAt.Compare(b.CreatedAt) }))
	})
}

// inPages serves the simulator, but with lists in another order, 20 to a page.
func (f *fixture) inPages(order func(a, b callabsim.Call) int) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			f.sim.ServeHTTP(w, r)
			return
		}
		query, recorded := r.URL.Query(), httptest.NewRecorder()
		page, _ := strconv.Atoi(query.Get("page"))
		query.Set("page", "0")
		query.Set("per_page", "100")
		r.URL.RawQuery = query.Encode()
		f.sim.ServeHTTP(recorded, r)
		var answer struct {
			Status string           `json:"status"`
			Data   []callabsim.Call `json:"data"`
		}
		if err := json.Unmarshal(recorded.Body.Bytes(), &answer); err != nil {
			f.t.Error(err)
		}
		slices.SortFunc(answer.Data, order)
		from := min(20*page, len(answer.Data))
		answer.Data = answer.Data[from:min(from+20, len(answer.Data))]
		_ = json.NewEncoder(w).Encode(answer)
	}))
	f.t.Cleanup(server.Close)
	return server.URL
}

// local is a time without a zone, as it is written so far from UTC.
func local(offset time.Duration) string {
	return time.Now().UTC().Add(offset).Format("2006-01-02T15:04:05")
}

// wantOneCall sends a request with redial on, and expects one call, whatever its end.
func (f *fixture) wantOneCall(url string) {
	f.t.Helper()
	config := fast()
	config.Redial = true
	f.runOn(f.bus, url, config, good)
	f.send(withNotes(f.t, request("lead-1", "+12025550142"), "Lead of Ada"))
	if got := f.result(); got.Outcome != event.Unknown && got.Reason != event.ReasonFound {
		f.t.Errorf("ended %s (%s: %s)", got.Outcome, got.Reason, got.Detail)
	}
	f.done()
	if n := len(f.sim.Placed()); n != 1 {
		f.t.Errorf("one person was called %d times, want 1", n)
	}
}

// TestRedialReadsALongList: many other people were called since the claim. The call that
// is missing is placed, because all of them can be read.
func TestRedialReadsALongList(t *testing.T) {
	t.Parallel()
	f := newFixture(t, callabsim.Options{})
	r := request("lead-1", "+12025550142")
	f.claimed(r, "embedded-an ended process")
	f.sim.AddCalls(others(2_500, "+12025550143", 0)...)
	config := fast()
	config.Redial = true
	f.run(config, good)
	f.send(r)
	if got := f.result(); got.Reason != event.ReasonCreated {
		t.Errorf("ended %s (%s: %s), want a call", got.Outcome, got.Reason, got.Detail)
	}
	if n := f.dialled(r.ID); n != 1 {
		t.Errorf("dialled %d times, want 1", n)
	}
}
