package callab_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

func TestGetCallReadsOneCall(t *testing.T) {
	t.Parallel()
	_, client := simulate(t, callabsim.Options{}, nil)
	placed := client.CreateCall(t.Context(), newCall(), window()).Call

	got, err := client.GetCall(t.Context(), placed.ID)
	if err != nil || got.ID != placed.ID || got.CallTo != callTo || got.CallStatus != "in-progress" {
		t.Errorf("call %s: %v", got.Raw, err)
	}
	_, err = client.GetCall(t.Context(), "3c90c3cc-0d44-4b50-8888-000000000000")
	var api *callab.Error
	if !errors.As(err, &api) || api.HTTPStatus != http.StatusOK || api.Status != "error" {
		t.Errorf("missing call: %v", err)
	}
	for _, id := range []string{"", ".", ".."} {
		if _, err := client.GetCall(t.Context(), id); err == nil || errors.As(err, &api) && api == nil {
			t.Errorf("id %q was asked for", id)
		}
	}
}

func TestQueryCallsReadsPageAfterPage(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{MaxPerPage: 20}, nil)
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for i := range 45 {
		sim.AddCalls(callabsim.Call{CallTo: "+12025550111", CreatedAt: start.Add(time.Duration(i) * time.Second)})
	}
	sim.AddCalls(callabsim.Call{CallTo: callTo, CreatedAt: start})

	var sizes []int
	last := start.Add(time.Hour)
	for page := range 4 {
		calls, err := client.QueryCalls(t.Context(), callab.Query{Search: "+12025550111", Page: page, PerPage: 50})
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(calls))
		for _, call := range calls {
			if call.CreatedAt.After(last) {
				t.Errorf("page %d is not newest first", page)
			}
			last = call.CreatedAt.Time
		}
	}
	if got := fmt.Sprint(sizes); got != "[20 20 5 0]" {
		t.Errorf("pages of %s, want 20, 20, 5 and none", got)
	}
}

func TestQueryCallsSendsEveryParameter(t *testing.T) {
	t.Parallel()
	queries := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		queries <- r.URL.Query().Encode()
		fmt.Fprint(w, `{"status":"ok","data":[]}`)
	}))
	t.Cleanup(server.Close)
	for _, row := range []struct {
		query callab.Query
		want  string
	}{
		{callab.Query{}, ""},
		{callab.Query{Search: "a b", Page: 2, PerPage: 50}, "page=2&per_page=50&search=a+b"},
		{callab.Query{PerPage: 100, NewestUpdate: true}, "order=desc&per_page=100&sort_column=updated_at"},
	} {
		calls, err := connect(t, server.URL, nil).QueryCalls(t.Context(), row.query)
		if err != nil || calls == nil || len(calls) != 0 {
			t.Errorf("empty list read as %v: %v", calls, err)
		}
		if got := <-queries; got != row.want {
			t.Errorf("query %s, want %s", got, row.want)
		}
	}
}

// An unreadable list must not look like an empty one: a call that was placed
// would then count as missing.
func TestUnreadableListIsAnError(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status int
		body   string
	}{
		{200, ``},
		{200, `<html></html>`},
		{200, `{"status":"ok","data":""}`},
		{200, `{"status":"ok"}`},
		{200, `{"status":"ok","data":{"id":"7d1b"}}`},
		{200, `{"status":"ok","data":["7d1b"]}`},
		{200, `{"status":"ok","data":[null]}`},
		{200, `{"status":"ok","data":[{"id":"7d1b"},{"call_to":"+12025550142"}]}`},
		{200, `{"status":"error","message":"error","data":[]}`},
		{200, `{"data":[]}`},
		{200, `{"status":"ok","data":[]` + strings.Repeat(" ", 16<<20) + `}`},
		{302, `{"status":"ok","data":[]}`},
		{500, `{"status":"ok","data":[]}`},
		{429, `{"status":"ok","data":[]}`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(row.status)
			fmt.Fprint(w, row.body)
		}))
		calls, err := connect(t, server.URL, nil).QueryCalls(t.Context(), callab.Query{})
		server.Close()
		if err == nil || calls != nil {
			t.Errorf("HTTP %d, %.60s: %d calls, error %v", row.status, row.body, len(calls), err)
		}
		var api *callab.Error
		if row.status != http.StatusOK && (!errors.As(err, &api) || api.HTTPStatus != row.status || api.RetryAfter != 3*time.Second) {
			t.Errorf("HTTP %d: %v is no *callab.Error", row.status, err)
		}
	}
}

func TestListThatIsNullIsEmpty(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":"ok","data":null}`)
	}))
	defer server.Close()
	if calls, err := connect(t, server.URL, nil).QueryCalls(t.Context(), callab.Query{}); err != nil || calls == nil || len(calls) != 0 {
		t.Errorf("%v: %v", calls, err)
	}
}

// TestPageWithTranscriptsCanBeRead: ten calls with long transcripts are many megabytes.
func TestPageWithTranscriptsCanBeRead(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	transcript := strings.Repeat("Hello Grace. ", 100_000)
	for range 10 {
		sim.AddCalls(callabsim.Call{CallTo: callTo, Transcript: &transcript})
	}
	if calls, err := client.QueryCalls(t.Context(), callab.Query{PerPage: 10}); err != nil || len(calls) != 10 {
		t.Errorf("%d calls: %v", len(calls), err)
	}
}

func TestQueryCallsWorksAgainAfterErrors(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	sim.Fail(
		callabsim.Fault{On: callabsim.OnQuery, Kind: callabsim.ErrorBefore, Times: 2},
		callabsim.Fault{On: callabsim.OnQuery, Kind: callabsim.CutMiddle},
		callabsim.Fault{On: callabsim.OnQuery, Kind: callabsim.Garbage},
	)
	client.CreateCall(t.Context(), newCall(), window())
	for range 4 {
		if calls, err := client.QueryCalls(t.Context(), callab.Query{}); err == nil {
			t.Errorf("read %d calls from a list that fails", len(calls))
		}
	}
	if calls, err := client.QueryCalls(t.Context(), callab.Query{}); err != nil || len(calls) != 1 {
		t.Errorf("%d calls after the list has recovered: %v", len(calls), err)
	}
}

func TestQueryCallsListsTheNewestUpdateFirst(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, ignored := range []bool{false, true} {
		sim, client := simulate(t, callabsim.Options{IgnoresSort: ignored}, nil)
		for i := range 5 {
			created := start.Add(time.Duration(i) * time.Minute)
			sim.AddCalls(callabsim.Call{CallTo: callTo, CreatedAt: created, UpdatedAt: start.Add(time.Duration(60-i) * time.Minute)})
		}
		calls, err := client.QueryCalls(t.Context(), callab.Query{NewestUpdate: true})
		if err != nil || len(calls) != 5 || callab.SortedByUpdate(calls) == ignored {
			t.Errorf("sort ignored %v: %d calls, sorted %v: %v", ignored, len(calls), callab.SortedByUpdate(calls), err)
		}
	}
	if !callab.SortedByUpdate(nil) || callab.SortedByUpdate([]callab.Call{{ID: "a call without a time"}}) {
		t.Error("an empty page is sorted, and a call without a time is not")
	}
}

// TestGetCallSaysWhetherTheCallIsGone: a call that is gone ends as unresolved, and an
// error of Callab must not look like one.
func TestGetCallSaysWhetherTheCallIsGone(t *testing.T) {
	t.Parallel()
	const id = "3c90c3cc-0d44-4b50-8888-000000000001"
	for _, row := range []struct {
		status int
		body   string
		gone   bool
	}{
		{200, `{"status":"error","message":"Call not found","data":""}`, true},
		{200, `{"status":"ERROR","message":"call does not exist"}`, true},
		{400, `{"status":"error","message":"No such call"}`, true},
		{404, ``, true},
		{410, `<html></html>`, true},
		{200, `{"status":"error","message":"database error"}`, false},
		{200, `{"status":"error"}`, false},
		{200, `{"status":"ok","message":"not found","data":""}`, false},
		{200, `not found`, false},
		{200, ``, false},
		{200, `{"status":"ok","data":{"id":"3c90c3cc-0d44-4b50-8888-000000000002"}}`, false},
		{200, `{"status":"ok","data":[]}`, false},
		{200, `{"status":"ok","data":{"id":"` + id + `"}` + strings.Repeat(" ", 16<<20) + `}`, false},
		{301, `{"status":"error","message":"not found"}`, false},
		{401, `{"status":"error","message":"not found"}`, false},
		{429, `{"status":"error","message":"not found"}`, false},
		{500, `{"status":"error","message":"not found"}`, false},
		{502, `<html>not found</html>`, false},
	} {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(row.status)
			fmt.Fprint(w, row.body)
		}))
		_, err := connect(t, server.URL, nil).GetCall(t.Context(), id)
		server.Close()
		var api *callab.Error
		gone := errors.As(err, &api) && api.Gone()
		if err == nil || gone != row.gone || requests != 1 {
			t.Errorf("HTTP %d, %.60s: gone %v after %d requests: %v", row.status, row.body, gone, requests, err)
		}
		if row.status == http.StatusTooManyRequests && api.RetryAfter != 7*time.Second {
			t.Errorf("429 without its wait: %+v", api)
		}
	}
}

// TestGetCallMeetsTheFaultsOfTheSimulator: each fault is one error, and the next look
// reads the call.
func TestGetCallMeetsTheFaultsOfTheSimulator(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	id := client.CreateCall(t.Context(), newCall(), window()).Call.ID
	kinds := []callabsim.Kind{
		callabsim.RefuseOK, callabsim.Unauthorized, callabsim.Throttle, callabsim.ErrorBefore,
		callabsim.CutMiddle, callabsim.Garbage, callabsim.NoID,
	}
	for _, kind := range kinds {
		sim.Fail(callabsim.Fault{On: callabsim.OnGet, Kind: kind})
		_, err := client.GetCall(t.Context(), id)
		var api *callab.Error
		if err == nil || errors.As(err, &api) && api.Gone() {
			t.Errorf("%s: %v", kind, err)
		}
		if call, err := client.GetCall(t.Context(), id); err != nil || call.ID != id || call.UpdatedAt.IsZero() {
			t.Errorf("after %s: %s: %v", kind, call.Raw, err)
		}
	}
	for _, bad := range []string{"a b", "a\nb", "é", strings.Repeat("x", 200)} {
		if _, err := client.GetCall(t.Context(), bad); err == nil || strings.Contains(err.Error(), "callab answered") {
			t.Errorf("id %q was asked for: %v", bad, err)
		}
	}
}
