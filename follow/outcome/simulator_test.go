package outcome_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/follow/outcome"
	"callbridge/internal/testkit"
)

// simulated sends a request to the simulator and decodes the data of its answer.
func simulated(t *testing.T, sim *callabsim.Sim, method, path, body string) (data json.RawMessage) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer t0ken")
	recorder := httptest.NewRecorder()
	sim.ServeHTTP(recorder, request)
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Data
}

// TestFatesOfTheSimulatorHaveTheirClass evaluates a simulated call of each fate before and
// after its end.
func TestFatesOfTheSimulatorHaveTheirClass(t *testing.T) {
	t.Parallel()
	want := map[callabsim.Fate]outcome.Class{
		callabsim.Reached: outcome.Reached, callabsim.Quoted: outcome.Reached, callabsim.Voicemail: outcome.Voicemail,
		callabsim.NoAnswer: outcome.NoAnswer, callabsim.Busy: outcome.Busy, callabsim.Declined: outcome.Unclassified,
		callabsim.Failed: outcome.ProviderFailed, callabsim.Stuck: outcome.Unclassified, callabsim.Regress: outcome.Reached,
		callabsim.LateAnalysis: outcome.Reached, callabsim.RetryAt: outcome.NoAnswer, callabsim.UnknownWord: outcome.Unclassified,
		callabsim.Screening: outcome.Screened, callabsim.OptOut: outcome.Reached,
	}
	synctest.Test(t, func(t *testing.T) {
		sim := callabsim.New(callabsim.Options{MagicNumbers: true, Life: &callabsim.Life{}})
		ids := map[callabsim.Fate]string{}
		for i, fate := range callabsim.Fates() {
			var call struct {
				ID string `json:"id"`
			}
			data := simulated(t, sim, "POST", "/v1/calls", fmt.Sprintf(
				`{"ai_agent_id": "5e1a7a52-91f5-4dd4-9f0c-0f6f1c6f2a10", "call_from": "+12025550100", "call_to": "+12025550%d"}`, 170+i))
			if err := json.Unmarshal(data, &call); err != nil || call.ID == "" {
				t.Fatalf("%s: %s", fate, data)
			}
			ids[fate] = call.ID
		}
		look := func(fate callabsim.Fate) outcome.Report {
			return outcome.Default().Evaluate(simulated(t, sim, "GET", "/v1/calls/"+ids[fate], ""))
		}
		for _, fate := range callabsim.Fates() {
			if report := look(fate); report.Final() || report.Class != outcome.Unclassified {
				t.Errorf("%s while it is queued: %s", fate, testkit.JSON(t, report))
			}
		}
		time.Sleep(80 * time.Second)
		if report := look(callabsim.LateAnalysis); report.Class != outcome.Unclassified || !report.Final() || report.Analysis.Present {
			t.Errorf("before its analysis: %s", testkit.JSON(t, report))
		}
		time.Sleep(30 * time.Second)
		if report := look(callabsim.Regress); report.Final() {
			t.Errorf("ringing again: %s", testkit.JSON(t, report))
		}
		time.Sleep(time.Hour)
		for fate, class := range want {
			report := look(fate)
			isOpen := fate == callabsim.Stuck || fate == callabsim.UnknownWord
			if report.Class != class || report.Final() == isOpen || (report.OptOut.Answer == outcome.Yes) != (fate == callabsim.OptOut) {
				t.Errorf("%s: %s", fate, testkit.JSON(t, report))
			}
		}
		if report := look(callabsim.Quoted); report.CallbackAt.At == nil || report.AnsweredBy.Kind != outcome.Quoted {
			t.Errorf("quoted: %s", testkit.JSON(t, report))
		}
		if report := look(callabsim.RetryAt); report.RetryAt == nil {
			t.Errorf("retry at: %s", testkit.JSON(t, report))
		}
	})
}
