package follow_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/follow"
	"callbridge/follow/outcome"
	"callbridge/internal/testkit"
)

// ask sends a request to the simulator, and returns the data of its answer unless its
// status is error.
func ask(t *testing.T, sim *callabsim.Sim, method, path, body string) (data json.RawMessage, ok bool) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer t0ken")
	recorder := httptest.NewRecorder()
	sim.ServeHTTP(recorder, request)
	var envelope struct {
		Status string          `json:"status"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Data, envelope.Status == "ok"
}

// TestSimulatedCallsAreFollowedToTheirEnd follows a call of each fate, by the clock of the
// bubble: hours pass at once.
func TestSimulatedCallsAreFollowedToTheirEnd(t *testing.T) {
	t.Parallel()
	want := map[callabsim.Fate]struct {
		ended, class outcome.Class // when it was told, and after the analysis
		again        bool
	}{
		callabsim.Reached:      {outcome.Reached, outcome.Reached, false},
		callabsim.Quoted:       {outcome.Reached, outcome.Reached, false},
		callabsim.Voicemail:    {outcome.Voicemail, outcome.Voicemail, true},
		callabsim.NoAnswer:     {outcome.NoAnswer, outcome.NoAnswer, true},
		callabsim.Busy:         {outcome.Busy, outcome.Busy, true},
		callabsim.Declined:     {outcome.Unclassified, outcome.Unclassified, false},
		callabsim.Failed:       {outcome.ProviderFailed, outcome.ProviderFailed, true},
		callabsim.Stuck:        {outcome.Unresolved, outcome.Unresolved, false},
		callabsim.Regress:      {outcome.Reached, outcome.Reached, false},
		callabsim.LateAnalysis: {outcome.Reached, outcome.Reached, false},
		callabsim.RetryAt:      {outcome.NoAnswer, outcome.NoAnswer, false},
		callabsim.UnknownWord:  {outcome.Unresolved, outcome.Unresolved, false},
		callabsim.Gone:         {outcome.Unresolved, outcome.Unresolved, false},
		callabsim.Screening:    {outcome.Screened, outcome.Screened, true},
		callabsim.OptOut:       {outcome.Reached, outcome.Reached, false},
	}
	for i, fate := range callabsim.Fates() {
		t.Run(string(fate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := callabsim.New(callabsim.Options{MagicNumbers: true, Life: &callabsim.Life{}})
				data, ok := ask(t, sim, "POST", "/v1/calls", fmt.Sprintf(
					`{"ai_agent_id": "5e1a7a52-91f5-4dd4-9f0c-0f6f1c6f2a10", "call_from": "+12025550100", "call_to": "+12025550%d"}`, 170+i))
				var call struct {
					ID string `json:"id"`
				}
				if err := json.Unmarshal(data, &call); err != nil || !ok {
					t.Fatalf("%s: %v", data, err)
				}
				p, s, looks := follow.DefaultPace(), follow.Begin(time.Now()), 0
				for next := p.Next(s, time.Now()); !next.IsZero(); next = p.Next(s, time.Now()) {
					time.Sleep(time.Until(next))
					l := follow.Look{At: time.Now(), Result: follow.Gone}
					if object, found := ask(t, sim, "GET", "/v1/calls/"+call.ID, ""); found {
						l.Result, l.Report = follow.Seen, outcome.Default().Evaluate(object)
					}
					s = p.After(s, l)
					looks++
				}
				again, why := s.Again()
				c := want[fate]
				if s.Ended != c.ended || s.Report.Class != c.class || again != c.again || looks > 60 {
					t.Errorf("%d looks, again %v %q: %s", looks, again, why, testkit.JSON(t, s))
				}
				if (s.Report.OptOut.Answer == outcome.Yes) != (fate == callabsim.OptOut) {
					t.Errorf("opt-out: %s", testkit.JSON(t, s.Report.OptOut))
				}
			})
		})
	}
}
