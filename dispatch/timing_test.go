package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"callbridge/dispatch"
)

func TestValidateNamesTheVariablesAndTheRule(t *testing.T) {
	t.Parallel()
	good := dispatch.Config{
		Concurrency: 8, Rate: 5, Attempts: 24, WriteWindow: 5 * time.Second, CallTimeout: 15 * time.Second,
		APIIdle: 75 * time.Second, ClaimAge: 2 * time.Minute, Settle: time.Minute,
	}
	if err := good.Validate(30 * time.Second); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	for name, c := range map[string]struct {
		change  func(*dispatch.Config)
		ackWait time.Duration
		want    []string
	}{
		"claim shorter than a call": {func(c *dispatch.Config) { c.ClaimAge = 90 * time.Second }, 30 * time.Second,
			[]string{"DIAL_CLAIM_AGE 1m30s", "CALLAB_TIMEOUT 15s", "CALLAB_IDLE 1m15s", "1m37s"}},
		"timeout longer than the claim": {func(c *dispatch.Config) { c.CallTimeout = time.Hour }, 30 * time.Second,
			[]string{"DIAL_CLAIM_AGE", "CALLAB_TIMEOUT 1h0m0s"}},
		"no sign of life in time": {func(*dispatch.Config) {}, 2 * time.Second, []string{"DIAL_ACK_WAIT 2s"}},
		"redelivery after the claim": {func(*dispatch.Config) {}, time.Hour,
			[]string{"DIAL_ACK_WAIT 1h0m0s", "DIAL_CLAIM_AGE 2m0s"}},
		"settled before it was sent": {func(c *dispatch.Config) { c.Settle = time.Second }, 30 * time.Second,
			[]string{"DIAL_SETTLE 1s", "DIAL_WRITE_WINDOW 5s"}},
		"zero": {func(c *dispatch.Config) { c.Settle, c.Concurrency = 0, 0 }, 0,
			[]string{"DIAL_SETTLE must be above zero", "DIAL_ACK_WAIT must be above zero", "DIAL_CONCURRENCY"}},
		"negative rate": {func(c *dispatch.Config) { c.Rate = -1 }, 30 * time.Second, []string{"DIAL_RATE"}},
		"no attempts":   {func(c *dispatch.Config) { c.Attempts = 0 }, 30 * time.Second, []string{"DIAL_ATTEMPTS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			c.change(&config)
			err := config.Validate(c.ackWait)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}
