package callabsim_test

import (
	"net/http"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

// addThreeCalls adds three calls; the list shows the last one first.
func addThreeCalls(f *fixture) {
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	transcript := "Hello Grace"
	f.sim.AddCalls(
		callabsim.Call{CallTo: "+12025550111", CreatedAt: at(0), CallStatus: "completed", Transcript: &transcript},
		callabsim.Call{CallTo: "+12025550122", CreatedAt: at(2), CallStatus: "failed"},
		callabsim.Call{CallTo: "+12025550133", CreatedAt: at(3), Notes: "Lead 42"},
	)
	f.advance(time.Hour)
}

func TestQuerySearchesAndPages(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	addThreeCalls(f)
	for _, row := range []struct{ query, want string }{
		{"", "33 22 11"},
		{"per_page=2", "33 22"},
		{"per_page=2&page=1", "11"},
		{"per_page=2&page=2", ""},
		{"per_page=2147483647&page=2147483647", ""},
		{"per_page=0", ""},
		{"search=%2B12025550122", "22"},
		{"search=lead+42", "33"},
		{"search=grace", "11"},
		{"search=nobody", ""},
		{"search=completed", ""},
	} {
		if got := f.query(row.query); got != row.want {
			t.Errorf("%s: %q, want %q", row.query, got, row.want)
		}
	}
}

func TestQueryRefusesInvalidParameters(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	for _, query := range []string{
		"page=-1", "per_page=ten", "order=up", "sort_column=call_to", "status=failed", "start_date=2026-03-02",
		"filter_columns[]=call_to&filter_operator[]=eq&filter_values[]=7",
	} {
		a, err := f.do("GET", "/v1/calls/query?"+query, "")
		if err != nil || a.code != http.StatusOK || a.Status != "error" || a.Message == "" {
			t.Errorf("%s: HTTP %d, %s %q: %v", query, a.code, a.Status, a.Message, err)
		}
	}
}

func TestNewCallsAppearAfterListLag(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{ListLag: time.Second})
	c := f.place(callTo)
	if got := f.query(""); got != "" {
		t.Errorf("the list shows %q at once", got)
	}
	if a, err := f.do("GET", "/v1/calls/"+c.ID, ""); err != nil || a.Status != "ok" {
		t.Errorf("the call itself: %s %s: %v", a.Status, a.Message, err)
	}
	f.advance(time.Second)
	if got := f.query(""); got != "42" {
		t.Errorf("the list shows %q after its lag", got)
	}
}

func TestPerPageHasAMaximum(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{MaxPerPage: 2})
	addThreeCalls(f)
	if got := f.query("per_page=50"); got != "33 22" {
		t.Errorf("page %q, want two calls", got)
	}
}

func TestMissingCallIsAnErrorWithHTTP200(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	a, err := f.do("GET", "/v1/calls/"+agentID, "")
	if err != nil || a.code != http.StatusOK || a.Status != "error" || string(a.Data) != `""` {
		t.Errorf("HTTP %d, %s, data %s: %v", a.code, a.Status, a.Data, err)
	}
}
