package callab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
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
		t.Errorf("the answer holds another call: %s", call.Raw)
	}
}

func TestCreateCallJSONIsSentUnchanged(t *testing.T) {
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
		{callabsim.Fault{Kind: callabsim.Throttle, RetryAfter: 7 * time.Second}, callab.NotPlaced, 429, 0, 7 * time.Second},
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
	// The token is read for each request; a file ends with a line break.
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
		if answer := client.CreateCall(t.Context(), newCall(), window()); answer.Outcome != callab.NotPlaced {
			t.Errorf("%s: %v: %v", name, answer.Outcome, answer.Err)
		}
		if sim.Posts() != 0 {
			t.Errorf("%s: a request was sent", name)
		}
	}
}

func TestCreateCallWithoutServerIsNotSent(t *testing.T) {
	t.Parallel()
	client := connect(t, "http://127.0.0.1:1/v1", nil)
	answer := client.CreateCall(t.Context(), newCall(), window())
	if answer.Outcome != callab.NotPlaced || answer.Err == nil {
		t.Errorf("%v: %v", answer.Outcome, answer.Err)
	}
}

func TestCreateCallThatCannotBeEncodedIsNotSent(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	call := newCall()
	call.Metadata = map[string]any{"no JSON": func() {}}
	if answer := client.CreateCall(t.Context(), call, window()); answer.Outcome != callab.NotPlaced || sim.Posts() != 0 {
		t.Errorf("%v with %d requests: %v", answer.Outcome, sim.Posts(), answer.Err)
	}
}

func TestTraceReportsEveryStepInOrder(t *testing.T) {
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

func TestAnswerErrorHasHTTPStatus(t *testing.T) {
	t.Parallel()
	_, client := simulate(t, callabsim.Options{Faults: []callabsim.Fault{{Kind: callabsim.Forbidden}}}, nil)
	answer := client.CreateCall(t.Context(), newCall(), window())
	var api *callab.Error
	if !errors.As(answer.Err, &api) || api.HTTPStatus != http.StatusForbidden || api.Status != "error" {
		t.Errorf("error %v is no *callab.Error with the status", answer.Err)
	}
}

func TestOutcomeOfEveryFormOfResponse(t *testing.T) {
	t.Parallel()
	const good = `{"status":"ok","message":"ok","data":{"id":"7d1b"}}`
	for _, row := range []struct {
		name, answer string
		want         callab.Outcome
	}{
		{"no length", "HTTP/1.1 200 OK\r\n\r\n" + good, callab.Accepted},
		{"interim answers first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + good, callab.Accepted},
		{"only interim answers", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), callab.Unknown},
		{"other protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + good, callab.Unknown},
		{"nothing", "", callab.Unknown},
		{"not HTTP", "220 mail.example.com ESMTP\r\n\r\n", callab.Unknown},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + good, callab.Unknown},
		{"half a refusal", "HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n" + good, callab.Unknown},
		{"endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 3<<20), callab.Unknown},
		{"long body", "HTTP/1.1 200 OK\r\n\r\n" + good + strings.Repeat(" ", 1<<20), callab.Unknown},
		{"long refusal", "HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat(" ", 1<<20) + good, callab.Refused},
	} {
		url, accepted := listen(t, func(conn net.Conn) {
			defer conn.Close()
			wholeRequest(conn)
			_, _ = io.WriteString(conn, row.answer)
		})
		answer := connect(t, url, nil).CreateCall(t.Context(), newCall(), window())
		if answer.Outcome != row.want || accepted.Load() != 1 {
			t.Errorf("%s: %v, want %v, after %d connections: %v", row.name, answer.Outcome, row.want, accepted.Load(), answer.Err)
		}
	}
}

func TestRequestIsSentAsDocumented(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	lines := make(chan string, 1)
	url, _ := listen(t, func(conn net.Conn) {
		defer conn.Close()
		req, body := wholeRequest(conn)
		req.Header.Del("Content-Length")
		lines <- fmt.Sprintf("%s %s %v close=%v %v\n%s", req.Method, req.URL, req.Proto, req.Close, req.Header, body)
	})
	ctx := callab.WithTraceParent(t.Context(), parent)
	connect(t, url, nil).CreateCall(ctx, callab.NewCall{CallTo: callTo}, window())
	want := `POST /v1/calls HTTP/1.1 close=true map[Accept:[application/json] Authorization:[Bearer ` + token +
		`] Connection:[close] Content-Type:[application/json] Traceparent:[` + parent + `] User-Agent:[callab-go/1]]` +
		"\n" + `{"call_to":"+12025550142"}`
	if got := <-lines; got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

func TestTraceParentOfAnotherFormIsIgnored(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", strings.Repeat("a", 500), strings.Repeat("a", 50) + "\r\nX-Evil: 1"} {
		if ctx := callab.WithTraceParent(t.Context(), bad); ctx != t.Context() {
			t.Errorf("traceparent %q is sent", bad)
		}
	}
}

func TestConcurrentCallsAreEachPlacedOnce(t *testing.T) {
	t.Parallel()
	sim, client := simulate(t, callabsim.Options{}, nil)
	const calls = 50
	answers := make(chan callab.Answer, calls)
	for range calls {
		go func() { answers <- client.CreateCall(t.Context(), newCall(), window()) }()
	}
	seen := map[string]bool{}
	for range calls {
		answer := <-answers
		if answer.Outcome != callab.Accepted {
			t.Errorf("%v: %v", answer.Outcome, answer.Err)
		}
		seen[answer.Call.ID] = true
	}
	if len(seen) != calls || len(sim.Placed()) != calls {
		t.Errorf("%d ids, %d placed, want %d", len(seen), len(sim.Placed()), calls)
	}
}
