package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/dispatch/fit"
	"callbridge/dispatch/record"
	"callbridge/event"
	"callbridge/internal/wait"
	"callbridge/span"
)

// dial claims a request, places its call and records the answer. This is the
// only step that can make a phone ring. The order is fixed: pause, slot, token,
// judgement, gate, claim, POST. The judgement is also made first, so that a request
// that may not be dialled uses no token, and again if the configuration has changed
// since. A claim that waited for a slot or token would lose its write
// window.
func (d *Dispatcher) dial(ctx context.Context, r request, e entry) (transition, error) {
	if final, err := d.beforeDialling(ctx, r, e); err != nil || final != nil {
		return d.conclude(ctx, r, final, e, err)
	}
	if wait, err := d.waitLeft(ctx, e); err != nil || wait > 0 {
		return retryAfter(wait), err
	}
	if t, concerned, err := d.afterLoss(ctx, r, e); concerned {
		return t, err
	}
	judgedBy := d.generation()
	if refused, is := d.judge(r); is {
		return d.refuse(ctx, r, refused, e)
	}
	if t, closed, err := d.judgeFirst(ctx, r, e); closed {
		return t, err
	}
	probe, again, err := d.breaker.Enter(ctx)
	if err != nil {
		return transition{}, err
	}
	if again > 0 {
		return retryAfter(again), nil
	}
	defer d.breaker.Leave(probe)
	release, err := d.limiter.acquire(ctx)
	if err != nil {
		return transition{}, err
	}
	defer release()
	if again := d.breaker.Held(probe); again > 0 {
		return retryAfter(again), nil
	}
	if judgedBy == unknownGeneration || judgedBy != d.generation() {
		if refused, is := d.judge(r); is {
			return d.refuse(ctx, r, refused, e)
		}
	}
	// Something may have been lost while the request waited for its slot.
	if t, concerned, err := d.afterLoss(ctx, r, e); concerned {
		return t, err
	}
	return d.place(ctx, r, e, probe)
}

// place asks the gates and then claims a request, sends its call and records the answer.
func (d *Dispatcher) place(ctx context.Context, r request, e entry, probe bool) (transition, error) {
	// The write window begins before the gate reads what forbids calls: what is written
	// later than that is not sent, also by a process that was frozen meanwhile.
	window := crashtestWindow(callab.Window{Start: time.Now(), Length: d.config.WriteWindow})
	judged, t, closed, err := d.judgeNow(ctx, r, e)
	if closed {
		return t, err
	}
	if time.Since(window.Start) > d.config.WriteWindow/2 {
		return retryAfter(busRetryDelay), nil // it would use up an attempt, and send nothing
	}
	point("reserved")
	claim, err := d.claim(r, e, window)
	if err != nil {
		return transition{}, err
	}
	next, notSent := d.attempt(r, claim, window, probe)
	recorded, err := d.recordAnswer(r, next, claim)
	if err != nil {
		return transition{}, err
	}
	point("recorded")
	if notSent && recorded.State == next.State {
		d.giveBack(r, e, judged)
	}
	return advance(recorded), nil
}

// claim reserves the request for this process. The write window has begun before
// the claim is stored, so that the claim always outlives it.
func (d *Dispatcher) claim(r request, e entry, window callab.Window) (entry, error) {
	point("claiming")
	claim, err := d.compareAndSet(d.drain, r, record.Record{
		State: record.Claimed, Attempt: e.Attempt + 1, Claimed: window.Start, Refused: e.Refused, Unsent: e.unsent(), Acked: e.Acked,
	}, e)
	if err != nil {
		return entry{}, err
	}
	point("claimed")
	return claim, nil
}

// attempt sends a claimed call and returns the record that the answer leads to, and
// whether the answer proves that no phone rang.
func (d *Dispatcher) attempt(r request, claim entry, window callab.Window, probe bool) (next record.Record, notSent bool) {
	s := d.config.Tracer.Start(string(r.trace), span.Internal, "dial attempt")
	r.trace = s.Parent()
	answer := verify(d.send(r, window), r)
	v := classify(answer, claim.Attempt, d.config.Attempts, d.breaker.AcceptedSince(claim.Refused))
	if s.Recorded() {
		s.End(append(r.attributes(), slog.Int("callbridge.attempt", claim.Attempt), slog.String("callbridge.state", string(v.state)))...)
	}
	d.logAttempt(r, claim, answer, v, time.Since(window.Start))
	if v.pause > 0 {
		d.breaker.Extend(v.pause)
	}
	next = claim.Record
	next.Unsent = claim.Unsent && isNotSent(answer)
	next.State, next.Reason, next.Detail, next.Call = v.state, v.reason, v.detail, answer.Call.Raw
	if v.delay > 0 {
		next.WaitFor(v.delay)
	}
	d.noteAnswer(v, answer.HTTPStatus, probe, &next)
	return next, isNotSent(answer)
}

// send places the call once. A stop of the process does not cancel it: it has
// until CallTimeout, or until d.drain ends.
func (d *Dispatcher) send(r request, window callab.Window) callab.Answer {
	s := d.config.Tracer.Start(string(r.trace), span.Client, "POST Callab call")
	ctx := callab.WithTraceParent(d.drain, string(s.Parent()))
	answer := d.post(ctx, r, window)
	if answer.HTTPStatus == 0 || answer.HTTPStatus >= http.StatusBadRequest {
		s.Fail("HTTP status " + strconv.Itoa(answer.HTTPStatus))
	}
	if s.Recorded() {
		s.End(slog.String("http.request.method", http.MethodPost), slog.Int("http.response.status_code", answer.HTTPStatus))
	}
	return answer
}

func (d *Dispatcher) post(ctx context.Context, r request, window callab.Window) callab.Answer {
	if !d.config.MakeCall {
		return d.api.CreateCallJSON(ctx, r.Call, window)
	}
	call, err := testCall(r)
	if err != nil {
		return callab.Answer{Outcome: callab.NotPlaced, Err: err}
	}
	return d.api.MakeCall(ctx, call, window)
}

// testCall is the body of make-call. That endpoint takes neither metadata nor
// notes, so the request id is sent as a variable.
func testCall(r request) (callab.TestCall, error) {
	var call callab.NewCall
	if err := json.Unmarshal(r.Call, &call); err != nil {
		return callab.TestCall{}, fmt.Errorf("decode call: %w", err)
	}
	if call.AgentDynamicVariables == nil {
		call.AgentDynamicVariables = map[string]string{}
	}
	call.AgentDynamicVariables[event.RequestKey] = r.ID.String()
	return call.TestCall(), nil
}

// recordAnswer writes the record that an answer led to over its claim. It
// retries until drain ends, because without the record the call becomes unknown.
// If NATS has lost the ledger, or another process has expired the claim, the answer
// replaces the newer record (replaces): an answer is evidence, the state of a lost or
// expired claim is an assumption.
func (d *Dispatcher) recordAnswer(r request, next record.Record, claim entry) (entry, error) {
	ctx := context.WithoutCancel(d.drain)
	for over := claim; ; {
		written, err := d.compareAndSet(ctx, r, next, over)
		if err == nil {
			return written, nil
		}
		if d.drain.Err() != nil {
			return entry{}, fmt.Errorf("record the answer of %s: %w", r.ID, err)
		}
		if errors.Is(err, bus.ErrTooLarge) && fit.Shorten(&next) {
			continue
		}
		if errors.Is(err, bus.ErrConflict) {
			found, loadErr := d.load(ctx, r.ID)
			switch {
			case loadErr != nil:
			case replaces(next, found, claim):
				// What a record that cannot be read says may be another attempt.
				over, next.Park = found, next.Park || found.State == record.Unreadable
				next.Acked = next.Acked || found.Acked
				continue
			case found.State == next.State && found.Attempt == next.Attempt:
				return found, nil
			default:
				d.logger(r).Error("dispatch.answer_too_late", "to", r.callTo,
					"answer", next.State, "ledger", found.State, "hint", "compare Callab's call list with the result of this request")
				return found, nil
			}
		}
		d.logger(r).Warn("dispatch.record_failed", "error", err)
		_ = wait.For(d.drain, busRetryDelay)
	}
}

// replaces reports whether an answer to a claim is recorded over a newer entry. Callab's
// acceptance replaces every open one, also of a later attempt: the call must not be placed
// again. Otherwise an unknown or free entry of the same attempt says what another process
// assumed, and only an answer after which the call is not dialled again replaces a free
// one, or one that cannot be read.
func replaces(next record.Record, found, claim entry) bool {
	switch {
	case found.revision == 0:
		return true
	case found.State.IsFinal():
		return false
	case next.State == record.Accepted:
		return true
	case found.State == record.Unreadable:
		return next.State == record.Unknown
	case found.Attempt != claim.Attempt:
		return false
	}
	return found.State == record.Unknown || isFree(found.Record) && next.State == record.Unknown
}

// isFree reports whether the call of a request was certainly not placed.
func isFree(r record.Record) bool { return r.State == record.Free || r.State == record.Waiting }

// waitLeft is how long a free request still waits: its delay less its age, both without
// the clock of the process that wrote it.
func (d *Dispatcher) waitLeft(ctx context.Context, e entry) (time.Duration, error) {
	delay := e.Wait()
	if delay == 0 && !e.NotBefore.IsZero() {
		// Of an earlier version, by the clock of its process.
		delay = min(max(e.NotBefore.Sub(e.stored), 0), backoff(max(e.Attempt, 1)))
	}
	if delay == 0 {
		return 0, nil
	}
	age, err := d.age(ctx, e)
	return delay - age, err
}
