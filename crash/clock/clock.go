//go:build crashtest && linux && amd64

package clock

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	_ "unsafe" // for go:linkname
)

// vdsoClockgettimeSym is the address of clock_gettime in the kernel's vDSO.
//
//go:linkname vdsoClockgettimeSym runtime.vdsoClockgettimeSym
var vdsoClockgettimeSym uintptr

var (
	// original is the value of vdsoClockgettimeSym at the start.
	original uintptr
	// ahead is how many seconds are added to the wall clock.
	ahead int64
)

// replacement returns the address of gettime (clock_amd64.s).
func replacement() uintptr

// interval is how often the file is read.
const interval = 20 * time.Millisecond

func init() {
	name := os.Getenv("CRASHTEST_CLOCK")
	if name == "" {
		return
	}
	if vdsoClockgettimeSym == 0 {
		panic("CRASHTEST_CLOCK: this kernel has no clock_gettime in its vDSO")
	}
	original = vdsoClockgettimeSym
	follow(name)
	atomic.StoreUintptr(&vdsoClockgettimeSym, replacement())
	go func() {
		for range time.Tick(interval) {
			follow(name)
		}
	}()
}

// follow sets the clock as the file says.
func follow(name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("CRASHTEST_CLOCK: %v", err))
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("CRASHTEST_CLOCK: %v", err))
	}
	atomic.StoreInt64(&ahead, seconds)
}
