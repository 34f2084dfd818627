package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"callbridge/callab"
	"callbridge/event"
	"callbridge/span"
)

// dial claims a free request and sends the call: the only place where a phone
// can begin to ring.
func (d *Dispatcher) dial(ctx context.Context, j job, e entry) (*entry, rest, error) {
	if wait := time.Until(e.NotBefore); wait > 0 {
		return nil, later(wait), nil
	}
	if err := d.hold.wait(ctx); err != nil {
		return nil, rest{}, err
	}
	leave, err := d.gate.enter(ctx)
	if err != nil {
		return nil, rest{}, err
	}
	defer leave()
	window := fence(callab.Window{Start: time.Now(), Length: d.config.WriteWindow})
	point("claiming")
	claim, err := d.put(d.last, j.request.ID, Record{
		State: Claimed, Attempt: e.Attempt + 1, Claimed: window.Start,
	}, e)
	if err != nil {
		return nil, rest{}, err
	}
	point("claimed")
	trying := d.config.Tracer.Start(string(j.trace), span.Internal, "dial attempt")
	j.trace = trying.Parent()
	answer := d.send(j, window)
	v := judge(answer, claim.Attempt, d.config.Attempts)
	if trying.Recorded() {
		trying.End(append(j.attributes(), slog.Int("callbridge.attempt", claim.Attempt), slog.String("callbridge.state", string(v.state)))...)
	}
	d.logAttempt(j, claim, answer, v, time.Since(window.Start))
	if v.hold > 0 {
		d.hold.pause(v.hold)
	}
	if v.credentials && d.hold.refuse(true) {
		d.log.Error("dispatch.credentials_refused", "http_status", answer.HTTPStatus,
			"hint", "Callab refuses CALLAB_TOKEN; nothing is dialled until it works")
	}
	next := claim.Record
	next.State, next.Reason, next.Detail, next.Call = v.state, v.reason, v.detail, answer.Call.Raw
	if v.after > 0 {
		next.NotBefore = time.Now().Add(v.after)
	}
	settled, err := d.settle(j, next, claim)
	if err != nil {
		return nil, rest{}, err
	}
	point("recorded")
	return &settled, rest{}, nil
}

// send places the call once. Not even a stop of the process takes it back: it
// has until CallTimeout, and d.last.
func (d *Dispatcher) send(j job, window callab.Window) callab.Answer {
	asking := d.config.Tracer.Start(string(j.trace), span.Client, "POST Callab call")
	ctx := callab.WithTraceParent(d.last, string(asking.Parent()))
	answer := d.post(ctx, j, window)
	if answer.HTTPStatus == 0 || answer.HTTPStatus >= http.StatusBadRequest {
		asking.Fail("HTTP status " + strconv.Itoa(answer.HTTPStatus))
	}
	if asking.Recorded() {
		asking.End(slog.String("http.request.method", http.MethodPost), slog.Int("http.response.status_code", answer.HTTPStatus))
	}
	return answer
}

func (d *Dispatcher) post(ctx context.Context, j job, window callab.Window) callab.Answer {
	if !d.config.MakeCall {
		return d.api.CreateCallJSON(ctx, j.request.Call, window)
	}
	call, err := testCall(j)
	if err != nil {
		return callab.Answer{Outcome: callab.NotSent, Err: err}
	}
	return d.api.MakeCall(ctx, call, window)
}

// testCall is the body of make-call. It takes neither metadata nor notes, so
// the request id travels as a variable.
func testCall(j job) (callab.TestCall, error) {
	var call callab.NewCall
	if err := json.Unmarshal(j.request.Call, &call); err != nil {
		return callab.TestCall{}, fmt.Errorf("decode call: %w", err)
	}
	test := call.TestCall()
	test.DynamicVariables = append(test.DynamicVariables, callab.Variable{Name: event.RequestKey, Value: j.request.ID.String()})
	return test, nil
}

// settle records what came of a claim, and does not give up while the process
// lives: until it is written, a crash would leave the call to be searched for.
// Somebody who declared the claim dead meanwhile knew less than we do, and so
// does a ledger that was lost with its NATS.
func (d *Dispatcher) settle(j job, next Record, claim entry) (entry, error) {
	// The last thing a stopping process does for a call is to record it.
	ctx := context.WithoutCancel(d.last)
	for over := claim; ; {
		written, err := d.put(ctx, j.request.ID, next, over)
		if err == nil {
			return written, nil
		}
		if d.last.Err() != nil {
			return entry{}, fmt.Errorf("record the answer of %s: %w", j.request.ID, err)
		}
		if isConflict(err) {
			found, readErr := d.read(ctx, j.request.ID)
			switch {
			case readErr != nil:
			case found.revision == 0, found.State == Unknown && found.Attempt == next.Attempt:
				over = found
				continue
			case found.State == next.State && found.Attempt == next.Attempt:
				return found, nil
			default:
				d.logOf(j).Error("dispatch.answer_too_late", "to", j.to(),
					"answer", next.State, "ledger", found.State, "hint", "compare Callab's call list with the result of this request")
				return found, nil
			}
		}
		d.logOf(j).Warn("dispatch.record_failed", "error", err)
		pause(d.last, busTrouble)
	}
}
