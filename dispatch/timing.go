package dispatch

import (
	"errors"
	"fmt"
	"time"
)

// claimMargin covers what no other duration counts: dialling, a slow
// scheduler, the write of the ledger itself.
const claimMargin = 2 * time.Second

// Validate reports every rule that the configuration breaks, by the names of
// the variables. Each rule is there because breaking it can dial twice or lose
// a call; docs/decisions/0003-dialling-once.md derives them.
func (c Config) Validate(ackWait time.Duration) error {
	var errs []error
	for _, p := range []struct {
		name  string
		value time.Duration
	}{
		{"DIAL_WRITE_WINDOW", c.WriteWindow}, {"CALLAB_TIMEOUT", c.CallTimeout}, {"CALLAB_IDLE", c.APIIdle},
		{"DIAL_CLAIM_AGE", c.ClaimAge}, {"DIAL_SETTLE", c.Settle}, {"DIAL_ACK_WAIT", ackWait},
	} {
		if p.value <= 0 {
			errs = append(errs, fmt.Errorf("%s must be above zero", p.name))
		}
	}
	if c.Concurrency < 1 {
		errs = append(errs, errors.New("DIAL_CONCURRENCY must be at least 1"))
	}
	if c.Rate < 0 {
		errs = append(errs, errors.New("DIAL_RATE must not be negative; 0 means no limit"))
	}
	if c.Attempts < 1 {
		errs = append(errs, errors.New("DIAL_ATTEMPTS must be at least 1"))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if least := c.WriteWindow + c.APIIdle + c.CallTimeout + claimMargin; c.ClaimAge < least {
		errs = append(errs, fmt.Errorf("DIAL_CLAIM_AGE %s is too short: a claim may be declared dead only after DIAL_WRITE_WINDOW %s + CALLAB_IDLE %s + CALLAB_TIMEOUT %s + %s = %s",
			c.ClaimAge, c.WriteWindow, c.APIIdle, c.CallTimeout, claimMargin, least))
	}
	if ackWait < 3*time.Second {
		errs = append(errs, fmt.Errorf("DIAL_ACK_WAIT %s is too short: a worker shows that it lives every third of it, and a third must be at least 1s", ackWait))
	}
	if ackWait > c.ClaimAge {
		errs = append(errs, fmt.Errorf("DIAL_ACK_WAIT %s is longer than DIAL_CLAIM_AGE %s: a call whose process died would be looked at too late", ackWait, c.ClaimAge))
	}
	if c.Settle < c.WriteWindow {
		errs = append(errs, fmt.Errorf("DIAL_SETTLE %s is shorter than DIAL_WRITE_WINDOW %s: a call that is just being placed would be taken for missing", c.Settle, c.WriteWindow))
	}
	return errors.Join(errs...)
}
