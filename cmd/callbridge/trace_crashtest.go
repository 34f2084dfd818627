//go:build crashtest

package main

import (
	"io"
	"os"

	"callbridge/callab"
	_ "callbridge/crash/clock" // moves the clock of this process
	"callbridge/dispatch"
)

// trace returns the hooks of the crash test. The process ends when its standard input is
// closed, which is when the test that started it ends.
func trace() *callab.Trace {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	return dispatch.Trace()
}
