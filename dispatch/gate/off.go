//go:build !crashtest

package gate

// reservationOff is the negative control of the crash tests: no call is reserved.
const reservationOff = false
