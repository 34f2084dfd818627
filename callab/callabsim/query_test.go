package callabsim_test

import (
	"net/http"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

func at(minute int) *time.Time {
	t := start.Add(time.Duration(minute) * time.Minute)
	return &t
}

// people have three calls; the list shows the last one first.
func people(w *world) {
	campaign, transcript := "3c90c3cc-0d44-4b50-8888-8dd25736052a", "Hello Grace"
	w.sim.AddCalls(
		callabsim.Call{CallTo: "+12025550111", CreatedAt: *at(0), StartedAt: at(1), CallStatus: "completed", CallDuration: 90, Transcript: &transcript},
		callabsim.Call{CallTo: "+12025550122", CreatedAt: *at(2), StartedAt: at(24 * 60), CallStatus: "failed", CallDuration: 5, CampaignID: &campaign},
		callabsim.Call{CallTo: "+12025550133", CreatedAt: *at(3), AIAgentID: agentID, Notes: "Lead 42"},
	)
	w.pass(48 * time.Hour)
}

func TestQuery(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{})
	people(w)
	for _, row := range []struct{ query, want string }{
		{"", "33 22 11"},
		{"order=asc", "11 22 33"},
		{"per_page=2", "33 22"},
		{"per_page=2&page=1", "11"},
		{"per_page=2&page=2", ""},
		{"per_page=2147483647&page=2147483647", ""},
		{"per_page=0", ""},
		{"search=%2B12025550122", "22"},
		{"search=lead+42", "33"},
		{"search=grace", "11"},
		{"search=nobody", ""},
		{"status=COMP", "11"},
		{"status=in-progress", "33"},
		{"campaign_id=3c90c3cc-0d44-4b50-8888-8dd25736052a", "22"},
		{"ai_agent_id=" + agentID, "33"},
		// Only calls that have started have a day.
		{"start_date=2026-03-02", "22 11"},
		{"start_date=2026-03-03", "22"},
		{"end_date=2026-03-02", "11"},
		{"end_date=2026-03-01", ""},
		{"sort_column=call_duration", "11 22 33"},
		{"sort_column=name&order=asc", "11 22 33"},
		{"sort_column=started_at&order=asc", "33 11 22"},
		{"filter_columns[]=call_to&filter_operator[]=eq&filter_values[]=%2B12025550111", "11"},
		{"filter_columns[]=call_to&filter_operator[]=ne&filter_values[]=%2B12025550111", "33 22"},
		{"filter_columns[]=notes&filter_operator[]=contains&filter_values[]=LEAD", "33"},
		{"filter_columns[]=call_duration&filter_operator[]=eq&filter_values[]=90", "11"},
	} {
		if got := w.query(row.query); got != row.want {
			t.Errorf("%s: %q, want %q", row.query, got, row.want)
		}
	}
}

func TestQueryRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{})
	for _, query := range []string{
		"page=-1", "per_page=ten", "order=up", "sort_column=id", "start_date=yesterday", "end_date=2026-3-2",
		"filter_columns[]=call_to", "filter_columns[]=id&filter_operator[]=eq&filter_values[]=7",
		"filter_columns[]=call_to&filter_operator[]=like&filter_values[]=7",
	} {
		a, err := w.do("GET", "/v1/calls/query?"+query, "")
		if err != nil || a.code != http.StatusOK || a.Status != "error" || a.Message == "" {
			t.Errorf("%s: HTTP %d, %s %q: %v", query, a.code, a.Status, a.Message, err)
		}
	}
}

func TestListShowsNewCallsLate(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{ListLag: time.Second})
	c := w.place(callTo)
	if got := w.query(""); got != "" {
		t.Errorf("the list shows %q at once", got)
	}
	if a, err := w.do("GET", "/v1/calls/"+c.ID, ""); err != nil || a.Status != "ok" {
		t.Errorf("the call itself: %s %s: %v", a.Status, a.Message, err)
	}
	w.pass(time.Second)
	if got := w.query(""); got != "42" {
		t.Errorf("the list shows %q after its lag", got)
	}
}

func TestPerPageIsCapped(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{MaxPerPage: 2})
	people(w)
	if got := w.query("per_page=50"); got != "33 22" {
		t.Errorf("page %q, want two calls", got)
	}
}

func TestMissingCallIsAnErrorWith200(t *testing.T) {
	t.Parallel()
	w := setup(t, callabsim.Options{})
	a, err := w.do("GET", "/v1/calls/"+agentID, "")
	if err != nil || a.code != http.StatusOK || a.Status != "error" || string(a.Data) != `""` {
		t.Errorf("HTTP %d, %s, data %s: %v", a.code, a.Status, a.Data, err)
	}
}
