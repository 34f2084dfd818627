package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"callbridge/dispatch/breaker"
	"callbridge/dispatch/record"
)

// Held returns why calls are held, or nil: Callab refuses every call for a reason of its
// own, or does not answer. Webhooks are taken all the same, and the calls wait.
func (d *Dispatcher) Held() error {
	status, outage := d.breaker.Cause()
	switch {
	case status != 0:
		return fmt.Errorf("callab refuses the create call (HTTP %d), calls wait: %s", status, advice(status))
	case outage:
		return errors.New("callab does not answer the create call, calls wait: one at a time is tried until it does")
	}
	return nil
}

// State returns the state of the circuit breaker of this process.
func (d *Dispatcher) State() breaker.State { return d.breaker.State() }

// advice says what an operator can do about a refusal that is not about the call.
func advice(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "set a CALLAB_TOKEN or CALLAB_TOKEN_FILE that may create calls"
	case http.StatusPaymentRequired:
		return "the account has no credit: pay Callab"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUpgradeRequired:
		return "CALLAB_URL is not the address of its API: set it right"
	case http.StatusProxyAuthRequired:
		return "a proxy wants credentials: set HTTPS_PROXY right"
	}
	return "look at CALLAB_URL, and at the proxies before it"
}

// noteAnswer passes what an answer proves about Callab to the breaker. A refusal that is
// not about the call takes the attempt back: the request waits and uses up none.
func (d *Dispatcher) noteAnswer(v verdict, status int, probe bool, next *record.Record) {
	switch {
	case v.api == accepted:
		refusal, over := d.breaker.Accept(probe)
		d.logAccepted(refusal)
		d.outageOver(over)
	case v.api == refused:
		again, news, over := d.breaker.Refuse(probe, status)
		if news {
			d.logRefused(status)
		}
		d.outageOver(over)
		next.Attempt--
		next.Refused = time.Now()
		if wait := time.Until(again); wait > next.Wait() {
			next.WaitFor(wait)
		}
	case v.state == record.Unknown:
		if d.breaker.Fail(probe) {
			d.log.Error("dispatch.breaker_opened", "unknown_in_a_row", breaker.TripAfter, "detail", v.detail,
				"hint", "Callab does not answer; calls wait, and one at a time is tried until it does")
		}
	case status != 0:
		d.outageOver(d.breaker.Answered(probe))
	}
}

func (d *Dispatcher) logRefused(status int) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		d.log.Error("dispatch.credentials_refused", "http_status", status,
			"hint", "Callab refuses CALLAB_TOKEN for the create call; calls wait until it accepts one")
	case http.StatusPaymentRequired:
		d.log.Error("dispatch.calls_refused", "http_status", status,
			"hint", "the account has no credit; calls wait until Callab accepts one")
	default:
		d.log.Error("dispatch.calls_refused", "http_status", status,
			"hint", "look at CALLAB_URL, and at the proxies before it; calls wait until Callab accepts one")
	}
}

func (d *Dispatcher) logAccepted(refusal int) {
	switch refusal {
	case 0:
	case http.StatusUnauthorized, http.StatusForbidden:
		d.log.Info("dispatch.credentials_accepted")
	default:
		d.log.Info("dispatch.calls_accepted", "refused_before", refusal)
	}
}

// outageOver logs the end of an outage, and has the calls searched for whose outcome is
// unknown since then.
func (d *Dispatcher) outageOver(over bool) {
	if !over {
		return
	}
	d.log.Info("dispatch.breaker_closed")
	select {
	case d.over <- struct{}{}:
	default:
	}
}

// searchAfterOutages takes up the unknown calls of an outage when it is over, until ctx
// ends.
func (d *Dispatcher) searchAfterOutages(ctx context.Context) {
	for {
		select {
		case <-d.over:
		case <-ctx.Done():
			return
		}
		var ids []uuid.UUID
		d.inOutage.Range(func(id, _ any) bool {
			d.inOutage.Delete(id)
			ids = append(ids, id.(uuid.UUID))
			return true
		})
		d.resumeAll(ctx, ids)
	}
}

// resumeAll takes up requests, some at the same time, and returns when it has or ctx ends.
func (d *Dispatcher) resumeAll(ctx context.Context, ids []uuid.UUID) {
	var all sync.WaitGroup
	defer all.Wait()
	free := make(chan struct{}, d.config.Concurrency)
	for _, id := range ids {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		all.Go(func() {
			defer func() { <-free }()
			d.resume(ctx, id)
		})
	}
}
