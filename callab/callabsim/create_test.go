package callabsim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"callbridge/callab/callabsim"
)

func TestPlacedRecordsTheBody(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	c := f.place(callTo)
	f.sim.AddCalls(callabsim.Call{CallTo: callTo})

	placed := f.sim.Placed()
	if len(placed) != 1 || placed[0].CallID != c.ID || !placed[0].Time.Equal(start) || string(placed[0].Body) != createBody(callTo) {
		t.Errorf("placed %v", placed)
	}
	if !placed[0].Mentions("request 42") || placed[0].Mentions("request 43") {
		t.Error("Mentions is wrong about the request in the body")
	}
}

func TestCallHasEveryDocumentedField(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	a, err := f.do("POST", "/v1/calls", createBody(callTo))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(a.Data, &fields); err != nil {
		t.Fatal(err)
	}
	documented := strings.Fields(`id call_sid company_id campaign_id ai_agent_id contact_id call_provider call_from call_to
		call_duration call_status call_direction is_test call_rating call_feedback record_url transcript transcript_object
		transcript_language cost price_unit latency disconnect_reason analysis_sentiment agent_task_status
		agent_task_feedback metadata agent_dynamic_variables agent_post_call_outcomes notes created_at updated_at
		deleted_at started_at ended_at retry_at workspace_id`)
	for _, name := range documented {
		if _, ok := fields[name]; !ok {
			t.Errorf("field %s is missing", name)
		}
	}
	if len(fields) != len(documented) {
		t.Errorf("%d fields, %d are documented", len(fields), len(documented))
	}
	for _, name := range []string{"campaign_id", "contact_id", "transcript", "metadata", "started_at"} {
		if string(fields[name]) != "null" {
			t.Errorf("%s is %s, want null", name, fields[name])
		}
	}
}

func TestCreateCallRefusesInvalidBodies(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	for _, row := range []struct{ old, new, want string }{
		{createBody(callTo), ``, "body is not the documented JSON object"},
		{createBody(callTo), `[]`, "body is not the documented JSON object"},
		{`"+12025550142"`, `12025550142`, "body is not the documented JSON object"},
		{`"+12025550142"`, `"2025550142"`, "call_to is not an E.164 number"},
		{`"+12025550142"`, `"+1 202 555 0142"`, "call_to is not an E.164 number"},
		{`"+12025550100"`, `""`, "call_from is not an E.164 number"},
		{agentID, ``, "ai_agent_id is required"},
		{agentID, `agent`, "ai_agent_id is not a UUID"},
		{`"notes"`, `"contact_id":"7","notes"`, "contact_id is not a UUID"},
		{`"notes"`, `"call_direction":"up","notes"`, "call_direction is neither outbound nor inbound"},
	} {
		body := strings.Replace(createBody(callTo), row.old, row.new, 1)
		a, err := f.do("POST", "/v1/calls", body)
		if err != nil || a.code != http.StatusOK || a.Status != "error" || a.Message != row.want || string(a.Data) != `""` {
			t.Errorf("%s: HTTP %d, %s %q, data %s, want %q (%v)", body, a.code, a.Status, a.Message, a.Data, row.want, err)
		}
	}
	if placed := len(f.sim.Placed()); placed != 0 {
		t.Errorf("placed %d calls that are not valid", placed)
	}
}

func TestMakeCallRefusesInvalidBodies(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{})
	const good = `{"ai_agent_id":"` + agentID + `","call_from":"(202) 555-0100","call_to":"202.555.0142 ext 123",` +
		`"dynamic_variables":[{"name":"customer_name","value":"Ada"}],"workspace":"staging"}`
	for _, row := range []struct{ old, new, want string }{
		{`{`, `[`, "body is not the documented JSON object"},
		{agentID, `agent`, "ai_agent_id is not a UUID"},
		{`(202) 555-0100`, `555`, "call_from is not a telephone number"},
		{`202.555.0142 ext 123`, `Ada`, "call_to is not a telephone number"},
		{`customer_name`, ``, "the name of a dynamic variable is empty or holds spaces"},
		{`customer_name`, `customer name`, "the name of a dynamic variable is empty or holds spaces"},
		{`Ada`, ``, "dynamic variable customer_name is empty"},
		{`staging`, ``, "workspace must have 1 to 100 characters"},
		{`staging`, strings.Repeat("x", 101), "workspace must have 1 to 100 characters"},
	} {
		a, err := f.do("POST", "/v1/calls/make-call", strings.Replace(good, row.old, row.new, 1))
		if err != nil || a.code != http.StatusBadRequest || a.Status != "error" || a.Message != row.want {
			t.Errorf("%q for %q: HTTP %d, %s %q, want %q (%v)", row.new, row.old, a.code, a.Status, a.Message, row.want, err)
		}
	}
	a, err := f.do("POST", "/v1/calls/make-call", good)
	if err != nil || a.Status != "ok" || !strings.Contains(string(a.Data), `"agent_dynamic_variables":{"customer_name":"Ada"}`) {
		t.Errorf("good body: HTTP %d, %s %s: %v", a.code, a.Status, a.Message, err)
	}
	if placed := f.sim.Placed(); len(placed) != 1 || placed[0].Endpoint != "/v1/calls/make-call" {
		t.Errorf("placed %v, want the good one", placed)
	}
}

func TestWrongTokenIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{Tokens: []string{"another"}})
	for _, request := range [][2]string{{"POST", "/v1/calls"}, {"POST", "/v1/calls/make-call"}, {"GET", "/v1/calls/7"}, {"GET", "/v1/calls/query"}} {
		a, err := f.do(request[0], request[1], createBody(callTo))
		if err != nil || a.code != http.StatusUnauthorized || a.Status != "error" {
			t.Errorf("%v: HTTP %d, %s: %v", request, a.code, a.Status, err)
		}
	}
	if len(f.sim.Placed()) != 0 || f.sim.Posts() != 2 {
		t.Errorf("placed %d of %d requests without a token", len(f.sim.Placed()), f.sim.Posts())
	}
}
