// Package clock moves the wall clock of a process, for the crash tests. Binaries with
// the build tag crashtest contain it: CRASHTEST_CLOCK names a file with the number of
// seconds that the wall clock of the process is ahead, which may change at any time.
// The monotonic clock is not moved.
//
// It works on linux/amd64: it replaces the function by which the runtime asks the
// kernel for the time. Time namespaces of Linux move the monotonic clock only, and a
// preloaded library does not work with static binaries.
package clock
