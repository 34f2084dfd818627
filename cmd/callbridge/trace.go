//go:build !crashtest

package main

import "callbridge/callab"

// trace is nil in a release: only the crash test observes the steps of a call.
func trace() *callab.Trace { return nil }
