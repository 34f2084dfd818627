package callabsim_test

import (
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

// start is when the clock of a test begins.
var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// world is a simulator, a server, and a clock that stands until it is moved.
type world struct {
	t      *testing.T
	sim    *callabsim.Sim
	url    string
	passed atomic.Int64
}

func setup(t *testing.T, options callabsim.Options) *world {
	t.Helper()
	w := &world{t: t}
	options.Clock = func() time.Time { return start.Add(time.Duration(w.passed.Load())) }
	w.sim = callabsim.New(options)
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) pass(d time.Duration) { w.passed.Add(int64(d)) }

// answer is an envelope with its HTTP status.
type answer struct {
	code    int
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (w *world) do(method, path, body string) (answer, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
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

// call is what a test looks at.
type call struct {
	ID           string  `json:"id"`
	CallTo       string  `json:"call_to"`
	CallStatus   string  `json:"call_status"`
	CallDuration int     `json:"call_duration"`
	Transcript   *string `json:"transcript"`
	StartedAt    *string `json:"started_at"`
	Reason       string  `json:"disconnect_reason"`
}

// place creates a call that must be accepted.
func (w *world) place(to string) call {
	w.t.Helper()
	a, err := w.do("POST", "/v1/calls", createBody(to))
	var c call
	if err == nil {
		err = json.Unmarshal(a.Data, &c)
	}
	if err != nil || a.code != http.StatusOK || a.Status != "ok" || c.ID == "" {
		w.t.Fatalf("place call: HTTP %d, %s %s: %v", a.code, a.Status, a.Message, err)
	}
	return c
}

func createBody(to string) string {
	return `{"ai_agent_id":"` + agentID + `","call_from":"+12025550100","call_to":"` + to +
		`","notes":"request 42","agent_dynamic_variables":{"first_name":"Ada"}}`
}

// query returns the numbers of the calls on the list.
func (w *world) query(parameters string) string {
	w.t.Helper()
	a, err := w.do("GET", "/v1/calls/query?"+parameters, "")
	if err != nil || a.Status != "ok" {
		w.t.Errorf("query %s: HTTP %d, %s %s: %v", parameters, a.code, a.Status, a.Message, err)
		return ""
	}
	var calls []call
	if err := json.Unmarshal(a.Data, &calls); err != nil {
		w.t.Errorf("query %s: %v", parameters, err)
	}
	numbers := make([]string, len(calls))
	for i, c := range calls {
		numbers[i] = strings.TrimPrefix(c.CallTo, "+120255501")
	}
	return strings.Join(numbers, " ")
}

// serve asks the simulator without a server in between.
func serve(sim *callabsim.Sim, method, path, body string) {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer t0ken")
	sim.ServeHTTP(httptest.NewRecorder(), req)
}
