//go:build crashtest

package gate

import (
	"encoding/json"
	"os"
)

// reservationOff is the negative control of the crash tests: no call is reserved. Package
// crash sets it in CRASHTEST_PLAN.
var reservationOff = func() bool {
	var plan struct {
		Off bool `json:"reservation_off"`
	}
	_ = json.Unmarshal([]byte(os.Getenv("CRASHTEST_PLAN")), &plan)
	return plan.Off
}()
