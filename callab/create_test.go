package callab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"callbridge/callab"
	"callbridge/callab/callabsim"
)

func TestCreateCallIsAccepted(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)

	answer := client.CreateCall(t.Context(), newCall(), window())
	if answer.Outcome != callab.Accepted || answer.Err != nil || answer.HTTPStatus != http.StatusOK {
		t.Fatalf("answer %v, HTTP %d, error %v", answer.Outcome, answer.HTTPStatus, answer.Err)
	}
	placed := sim.Placed()
	if len(placed) != 1 || placed[0].CallID != answer.Call.ID || !placed[0].Mentions(requestID) {
		t.Errorf("placed %v, want the call %s", placed, answer.Call.ID)
	}
	call := answer.Call
	if call.CallTo != callTo || call.Metadata["request"] != requestID || call.CreatedAt.IsZero() || len(call.Raw) == 0 {
		t.Errorf("the answer's call is not the one that was sent: %s", call.Raw)
	}
}

func TestCreateCallJSONIsSentAsItIs(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(newCall())
	if err != nil {
		t.Fatal(err)
	}
	sim, client := simulate(t, callabsim.Options{}, nil)
	if answer := client.CreateCallJSON(t.Context(), body, window()); answer.Outcome != callab.Accepted {
		t.Fatalf("answer %v: %v", answer.Outcome, answer.Err)
	}
	if placed := sim.Placed(); len(placed) != 1 || placed[0].Endpoint != "/v1/calls" || !bytes.Equal(placed[0].Body, body) {
		t.Errorf("placed %v", placed)
	}
}

func TestMakeCallIsAccepted(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)

	answer := client.MakeCall(t.Context(), newCall().TestCall(), window())
	if answer.Outcome != callab.Accepted {
		t.Fatalf("answer %v: %v", answer.Outcome, answer.Err)
	}
	placed := sim.Placed()
	if len(placed) != 1 || placed[0].Endpoint != "/v1/calls/make-call" {
		t.Fatalf("placed %v", placed)
	}
	want := `{"ai_agent_id":"5e1a7a52-91f5-4dd4-9f0c-0f6f1c6f2a10","call_from":"+12025550100",` +
		`"call_to":"+12025550142","dynamic_variables":[{"name":"first_name","value":"Ada"}]}`
	if got := string(placed[0].Body); got != want {
		t.Errorf("body\n%s\nwant\n%s", got, want)
	}
}

func TestCreateCallUnderFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault      callabsim.Fault
		want       callab.Outcome
		httpStatus int
		placed     int
		retryAfter time.Duration
	}{
		{callabsim.Fault{Kind: callabsim.Refuse}, callab.Refused, 400, 0, 0},
		{callabsim.Fault{Kind: callabsim.RefuseOK}, callab.Refused, 200, 0, 0},
		{callabsim.Fault{Kind: callabsim.Unauthorized}, callab.Refused, 401, 0, 0},
		{callabsim.Fault{Kind: callabsim.Forbidden}, callab.Refused, 403, 0, 0},
		{callabsim.Fault{Kind: callabsim.Throttle, RetryAfter: 7 * time.Second}, callab.NotSent, 429, 0, 7 * time.Second},
		{callabsim.Fault{Kind: callabsim.ErrorBefore}, callab.Unknown, 500, 0, 0},
		{callabsim.Fault{Kind: callabsim.ErrorAfter}, callab.Unknown, 500, 1, 0},
		{callabsim.Fault{Kind: callabsim.HangBefore}, callab.Unknown, 0, 0, 0},
		{callabsim.Fault{Kind: callabsim.HangAfter}, callab.Unknown, 0, 1, 0},
		{callabsim.Fault{Kind: callabsim.CutBefore}, callab.Unknown, 0, 0, 0},
		{callabsim.Fault{Kind: callabsim.CutAfter}, callab.Unknown, 0, 1, 0},
		{callabsim.Fault{Kind: callabsim.CutMiddle}, callab.Unknown, 0, 1, 0},
		{callabsim.Fault{Kind: callabsim.Garbage}, callab.Unknown, 200, 1, 0},
		{callabsim.Fault{Kind: callabsim.NoID}, callab.Unknown, 200, 1, 0},
		{callabsim.Fault{Kind: callabsim.Slow, Delay: time.Minute}, callab.Unknown, 0, 1, 0},
		{callabsim.Fault{Kind: callabsim.Slow, Delay: time.Millisecond}, callab.Accepted, 200, 1, 0},
	} {
		t.Run(string(row.fault.Kind), func(t *testing.T) {
			t.Parallel()
			sim, client := simulate(t, callabsim.Options{Faults: []callabsim.Fault{row.fault}}, func(c *callab.Config) {
				c.Timeout = 2 * time.Second
			})
			got := client.CreateCall(t.Context(), newCall(), window())
			if got.Outcome != row.want || got.HTTPStatus != row.httpStatus || got.RetryAfter != row.retryAfter {
				t.Errorf("%v, HTTP %d, after %v (%v), want %v, HTTP %d, after %v", got.Outcome, got.HTTPStatus,
					got.RetryAfter, got.Err, row.want, row.httpStatus, row.retryAfter)
			}
			if placed := len(sim.Placed()); placed != row.placed || sim.Posts() != 1 {
				t.Errorf("placed %d with %d requests, want %d with 1", placed, sim.Posts(), row.placed)
			}
		})
	}
}

func TestCreateCallWithWrongTokenIsRefused(t *testing.T) {
	t.Parallel()
	current := "wrong"
	_, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
		c.Token = func() string { return current }
	})
	answer := client.CreateCall(t.Context(), newCall(), window())
	if answer.Outcome != callab.Refused || answer.HTTPStatus != http.StatusUnauthorized {
		t.Errorf("wrong token: %v, HTTP %d", answer.Outcome, answer.HTTPStatus)
	}
	// The token is asked for at each request; a file ends with a line break.
	current = token + "\n"
	if answer := client.CreateCall(t.Context(), newCall(), window()); answer.Outcome != callab.Accepted {
		t.Errorf("new token: %v: %v", answer.Outcome, answer.Err)
	}
}

func TestCreateCallWithoutUsableTokenIsNotSent(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{"empty": " \n", "line break": "a\r\nX-Evil: 1", "not ASCII": "schlüssel"} {
		sim, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
			c.Token = func() string { return bad }
		})
		if answer := client.CreateCall(t.Context(), newCall(), window()); answer.Outcome != callab.NotSent {
			t.Errorf("%s: %v: %v", name, answer.Outcome, answer.Err)
		}
		if sim.Posts() != 0 {
			t.Errorf("%s: a request was sent", name)
		}
	}
}

func TestCreateCallWithoutServerIsNotSent(t *testing.T) {
	t.Parallel()
	// Port 1 is not listened on.
	client := connect(t, "http://127.0.0.1:1/v1", nil)
	answer := client.CreateCall(t.Context(), newCall(), window())
	if answer.Outcome != callab.NotSent || answer.Err == nil {
		t.Errorf("%v: %v", answer.Outcome, answer.Err)
	}
}

func TestCreateCallThatCannotBeEncodedIsNotSent(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	call := newCall()
	call.Metadata = map[string]any{"no JSON": func() {}}
	if answer := client.CreateCall(t.Context(), call, window()); answer.Outcome != callab.NotSent || sim.Posts() != 0 {
		t.Errorf("%v with %d requests: %v", answer.Outcome, sim.Posts(), answer.Err)
	}
}

func TestTraceTellsHowFarACallHasCome(t *testing.T) {
	t.Parallel()
	var steps []string
	step := func(name string) func() { return func() { steps = append(steps, name) } }
	_, client := simulate(t, callabsim.Options{}, func(c *callab.Config) {
		c.Trace = &callab.Trace{
			GotConn: step("conn"), BeforeWrite: step("before"), WroteFirstByte: step("wrote"), GotAnswer: step("answer"),
		}
	})
	answer := client.CreateCall(t.Context(), newCall(), window())
	if want := []string{"conn", "before", "wrote", "answer"}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v (%v)", steps, want, answer.Err)
	}
}

func TestErrorIsTyped(t *testing.T) {
	t.Parallel()
	_, client := simulate(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.Forbidden}}}, nil)
	answer := client.CreateCall(t.Context(), newCall(), window())
	var api *callab.Error
	if !errors.As(answer.Err, &api) || api.HTTPStatus != http.StatusForbidden || api.Status != "error" {
		t.Errorf("error %v is no *callab.Error with the status", answer.Err)
	}
}
