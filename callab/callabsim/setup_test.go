package callabsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbridge/callab/callabsim"
)

const (
	callTo  = "+12025550142"
	agentID = "5e1a7a52-91f5-4dd4-9f0c-0f6f1c6f2a10"
)

// start is the first time of the fixture's clock.
var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// fixture is a simulator, its server, and a clock that only advance moves.
type fixture struct {
	t      *testing.T
	sim    *callabsim.Sim
	url    string
	passed atomic.Int64
}

func setup(t *testing.T, options callabsim.Options) *fixture {
	t.Helper()
	f := &fixture{t: t}
	options.Clock = func() time.Time { return start.Add(time.Duration(f.passed.Load())) }
	f.sim = callabsim.New(options)
	server := httptest.NewServer(f.sim)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fixture) advance(d time.Duration) { f.passed.Add(int64(d)) }

// answer is an envelope with its HTTP status.
type answer struct {
	code    int
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (f *fixture) do(method, path, body string) (answer, error) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer t0ken")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	a := answer{code: resp.StatusCode}
	return a, errors.Join(err, json.Unmarshal(text, &a))
}

// call holds the fields of a call object that the tests compare.
type call struct {
	ID           string  `json:"id"`
	CallTo       string  `json:"call_to"`
	CallStatus   string  `json:"call_status"`
	CallDuration int     `json:"call_duration"`
	Transcript   *string `json:"transcript"`
	StartedAt    *string `json:"started_at"`
	Reason       string  `json:"disconnect_reason"`
}

// place creates a call and fails the test if it is not accepted.
func (f *fixture) place(to string) call {
	f.t.Helper()
	a, err := f.do("POST", "/v1/calls", createBody(to))
	var c call
	if err == nil {
		err = json.Unmarshal(a.Data, &c)
	}
	if err != nil || a.code != http.StatusOK || a.Status != "ok" || c.ID == "" {
		f.t.Fatalf("place call: HTTP %d, %s %s: %v", a.code, a.Status, a.Message, err)
	}
	return c
}

// codes places calls and returns the HTTP statuses; 0 is no answer.
func (f *fixture) codes(to string, times int) []int {
	f.t.Helper()
	got := make([]int, times)
	for i := range got {
		if a, err := f.do("POST", "/v1/calls", createBody(to)); err == nil {
			got[i] = a.code
		}
	}
	return got
}

func (f *fixture) get(id string) call {
	f.t.Helper()
	var c call
	a, err := f.do("GET", "/v1/calls/"+id, "")
	if err == nil {
		err = json.Unmarshal(a.Data, &c)
	}
	if err != nil {
		f.t.Fatalf("get call: %v", err)
	}
	return c
}

func createBody(to string) string {
	return `{"ai_agent_id":"` + agentID + `","call_from":"+12025550100","call_to":"` + to +
		`","notes":"request 42","agent_dynamic_variables":{"first_name":"Ada"}}`
}

// query returns the last two digits of the numbers on the list.
func (f *fixture) query(parameters string) string {
	f.t.Helper()
	a, err := f.do("GET", "/v1/calls/query?"+parameters, "")
	if err != nil || a.Status != "ok" {
		f.t.Errorf("query %s: HTTP %d, %s %s: %v", parameters, a.code, a.Status, a.Message, err)
		return ""
	}
	var calls []call
	if err := json.Unmarshal(a.Data, &calls); err != nil {
		f.t.Errorf("query %s: %v", parameters, err)
	}
	numbers := make([]string, len(calls))
	for i, c := range calls {
		numbers[i] = strings.TrimPrefix(c.CallTo, "+120255501")
	}
	return strings.Join(numbers, " ")
}

// serve calls the handler directly, without a server. It returns nil if the
// simulator cut the connection.
func serve(ctx context.Context, sim *callabsim.Sim, method, path, body string) (answer *httptest.ResponseRecorder) {
	defer func() {
		if recovered := recover(); recovered == http.ErrAbortHandler {
			answer = nil
		} else if recovered != nil {
			panic(recovered)
		}
	}()
	req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer t0ken")
	answer = httptest.NewRecorder()
	sim.ServeHTTP(answer, req)
	return answer
}
